// What can be asked about a value that may be a stream, without loading streams.
//
// Rule: as long as streams are not loaded, nothing is one.

let known = null;

export function knowStreams(functions) {
  known = functions;
}

export const isReadableStream = (value) => known !== null && known.isReadableStream(value);
export const isDisturbed = (stream) => known.isDisturbed(stream);
export const isLocked = (stream) => known.isLocked(stream);
