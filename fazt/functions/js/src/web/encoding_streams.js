// TextEncoderStream and TextDecoderStream.
//
// Rule: a character that is split over chunks comes out whole.

import { toBytes, TextDecoder } from "./encoding.js";
import { encodeUtf8 } from "./utf8.js";
import { defineInterface, toDomString } from "./webidl.js";
import { TransformStream } from "./streams.js";

export class TextDecoderStream {
  #decoder;
  #transform;

  constructor(label = "utf-8", options = undefined) {
    const decoder = new TextDecoder(label, options);
    const decode = TextDecoder.prototype.decode.bind(decoder);
    this.#decoder = decoder;
    this.#transform = new TransformStream({
      transform(chunk, controller) {
        const text = decode(toBytes(chunk, "TextDecoderStream"), { stream: true });
        if (text) controller.enqueue(text);
      },
      flush(controller) {
        const text = decode();
        if (text) controller.enqueue(text);
      },
    });
  }

  get encoding() {
    return this.#decoder.encoding;
  }

  get fatal() {
    return this.#decoder.fatal;
  }

  get ignoreBOM() {
    return this.#decoder.ignoreBOM;
  }

  get readable() {
    return this.#transform.readable;
  }

  get writable() {
    return this.#transform.writable;
  }
}
defineInterface(TextDecoderStream, "TextDecoderStream");

export class TextEncoderStream {
  #transform;

  constructor() {
    let high = "";
    this.#transform = new TransformStream({
      transform(chunk, controller) {
        let text = high + toDomString(chunk);
        high = "";
        const last = text.charCodeAt(text.length - 1);
        if (last >= 0xd800 && last < 0xdc00) {
          high = text[text.length - 1];
          text = text.slice(0, -1);
        }
        if (text) controller.enqueue(encodeUtf8(text));
      },
      flush(controller) {
        if (high) controller.enqueue(encodeUtf8(high));
      },
    });
  }

  get encoding() {
    this.#transform;
    return "utf-8";
  }

  get readable() {
    return this.#transform.readable;
  }

  get writable() {
    return this.#transform.writable;
  }
}
defineInterface(TextEncoderStream, "TextEncoderStream");
