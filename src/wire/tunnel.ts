// Binary frames of the agent's connection: the number of a stream and its bytes. How much may come is agreed by
// `credit`.

const HEAD_BYTES = 4;

export interface Frame {
  readonly stream: number;
  readonly bytes: Uint8Array;
}

/** Four bytes of stream number, big end first, then the bytes. */
export function encodeFrame(stream: number, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(HEAD_BYTES + bytes.length);
  new DataView(frame.buffer).setUint32(0, stream);
  frame.set(bytes, HEAD_BYTES);
  return frame;
}

/**
 * The frame's parts; the bytes are a copy, since a socket may use its buffer again. A frame without a head is stream
 * 0.
 */
export function decodeFrame(frame: Uint8Array): Frame {
  if (frame.length < HEAD_BYTES) return { stream: 0, bytes: new Uint8Array(0) };
  const stream = new DataView(frame.buffer, frame.byteOffset, frame.byteLength).getUint32(0);
  return { stream, bytes: frame.slice(HEAD_BYTES) };
}
