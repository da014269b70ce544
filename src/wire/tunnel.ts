// Binary frames of the agent's connection: the number of a stream, then its bytes. `credit` messages bound how many
// bytes may be on the way.

const HEAD_BYTES = 4;

export interface Frame {
  readonly stream: number;
  readonly bytes: Uint8Array;
}

/** Encodes four bytes of stream number, most significant first, then the bytes. */
export function encodeFrame(stream: number, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(HEAD_BYTES + bytes.length);
  new DataView(frame.buffer).setUint32(0, stream);
  frame.set(bytes, HEAD_BYTES);
  return frame;
}

/**
 * Returns the parts of a frame. The bytes are a copy, since a socket may reuse its buffer. A frame that is too short
 * counts as stream 0.
 */
export function decodeFrame(frame: Uint8Array): Frame {
  if (frame.length < HEAD_BYTES) return { stream: 0, bytes: new Uint8Array(0) };
  const stream = new DataView(frame.buffer, frame.byteOffset, frame.byteLength).getUint32(0);
  return { stream, bytes: frame.slice(HEAD_BYTES) };
}
