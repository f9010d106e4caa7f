// Positions in a source text: offsets to lines and columns, and positions in what Sucrase wrote back to what the author
// wrote. Rule: lines and columns count from 1, columns in UTF-16 units, as V8 counts them in stacks.

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** A fault of a source file at a place of it. */
export class SourceFault extends Error {
  constructor(message, line, column) {
    super(message);
    this.line = line;
    this.column = column;
  }
}

/** The beginnings of the lines of a text. */
export class Lines {
  constructor(text) {
    this.length = text.length;
    this.starts = [0];
    for (const found of text.matchAll(/\r\n?|[\n\u2028\u2029]/g)) this.starts.push(found.index + found[0].length);
  }

  /** Return {line, column} of an offset. */
  positionAt(offset) {
    const line = lastAtMost(this.starts, offset, (start) => start);
    return { line: line + 1, column: offset - this.starts[line] + 1 };
  }

  /** Return the offset of a position; one behind the end of its line is the line's end. */
  offsetOf(line, column) {
    const start = this.starts[line - 1] ?? this.length;
    return Math.min(start + column - 1, (this.starts[line] ?? this.length + 1) - 1);
  }
}

/** The places of a source that the places of an output come from, by the mappings of a source map (version 3). */
export class Origins {
  constructor(mappings) {
    this.lines = []; // for each line of the output: [column, line of the source, column there], in order, from 0
    let line = 0; // the numbers of a segment are differences to those of the segment before, over all lines
    let column = 0;
    for (const text of mappings.split(";")) {
      const segments = [];
      let outputColumn = 0;
      for (const segment of text.split(",")) {
        const numbers = readNumbers(segment);
        if (numbers.length < 4) continue;
        outputColumn += numbers[0];
        line += numbers[2];
        column += numbers[3];
        segments.push([outputColumn, line, column]);
      }
      this.lines.push(segments);
    }
  }

  /** Return the position in the source of a position in the output. */
  of({ line, column }) {
    const segments = this.lines[line - 1] ?? [];
    const at = lastAtMost(segments, column - 1, (segment) => segment[0]);
    if (at < 0) return { line, column };
    const [outputColumn, sourceLine, sourceColumn] = segments[at];
    return { line: sourceLine + 1, column: sourceColumn + column - outputColumn };
  }
}

/** Return the index of the last item whose key is not over a limit, -1 where there is none; the keys ascend. */
function lastAtMost(items, limit, key) {
  let low = -1;
  let high = items.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (key(items[middle]) <= limit) low = middle;
    else high = middle;
  }
  return low;
}

function readNumbers(segment) {
  const numbers = [];
  let value = 0;
  let shift = 0;
  for (const character of segment) {
    const digit = DIGITS.indexOf(character);
    value |= (digit & 31) << shift;
    shift += 5;
    if (digit & 32) continue;
    numbers.push(value & 1 ? -(value >> 1) : value >> 1);
    value = 0;
    shift = 0;
  }
  return numbers;
}
