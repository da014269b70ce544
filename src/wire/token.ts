// A token as people paste it: the hash of the server's key, the token's id, its secret, and a checksum against typos.

export interface Token {
  /** SHA-256 of the server certificate's public key (SPKI), 64 hex digits. */
  readonly pin: string;
  /** The id by which lists and revocation name the token, 10 hex digits. */
  readonly id: string;
  /** 40 hex digits. The server keeps only their hash. */
  readonly secret: string;
}

const PREFIX = "orch1-";
const PIN_BYTES = 32;
const ID_BYTES = 5;
const SECRET_BYTES = 20;
const CHECK_BYTES = 3;
const BODY_BYTES = PIN_BYTES + ID_BYTES + SECRET_BYTES;
/** The alphabet leaves out i, l, o and u, which are easily misread. */
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

/** Formats a token as `orch1-` and 96 letters and digits. The parts must have the lengths that `Token` states. */
export function formatToken({ pin, id, secret }: Token): string {
  const body = Buffer.concat([
    fromHex("pin", pin, PIN_BYTES),
    fromHex("id", id, ID_BYTES),
    fromHex("secret", secret, SECRET_BYTES),
  ]);
  return PREFIX + toBase32(Buffer.concat([body, checksum(body)]));
}

/** Returns the parts of a token, or null if the text is not a whole, unaltered token. Space around it is ignored. */
export function parseToken(text: string): Token | null {
  const typed = text.trim().toLowerCase();
  if (!typed.startsWith(PREFIX)) return null;
  const bytes = fromBase32(typed.slice(PREFIX.length));
  if (bytes === null || bytes.length !== BODY_BYTES + CHECK_BYTES) return null;
  const body = bytes.subarray(0, BODY_BYTES);
  if (!checksum(body).equals(bytes.subarray(BODY_BYTES))) return null;
  return {
    pin: body.subarray(0, PIN_BYTES).toString("hex"),
    id: body.subarray(PIN_BYTES, PIN_BYTES + ID_BYTES).toString("hex"),
    secret: body.subarray(PIN_BYTES + ID_BYTES).toString("hex"),
  };
}

/** Returns what the server keeps of a secret. Secrets are 160 random bits, so a plain hash is enough. */
export const hashSecret = (secret: string): string => new Bun.CryptoHasher("sha256").update(secret).digest("hex");

const checksum = (body: Buffer): Buffer =>
  new Bun.CryptoHasher("sha256").update(PREFIX).update(body).digest().subarray(0, CHECK_BYTES);

function fromHex(what: string, hex: string, bytes: number): Buffer {
  const buffer = Buffer.from(hex, "hex");
  if (buffer.length !== bytes || hex.length !== 2 * bytes) {
    throw new TypeError(`a token's ${what} is ${2 * bytes} hex digits, not ${JSON.stringify(hex)}`);
  }
  return buffer;
}

function toBase32(bytes: Buffer): string {
  let text = "";
  let held = 0;
  let bits = 0;
  for (const byte of bytes) {
    held = ((held << 8) | byte) & 0xfff;
    bits += 8;
    for (; bits >= 5; bits -= 5) text += ALPHABET[(held >> (bits - 5)) & 31];
  }
  return text;
}

/** All lengths here are multiples of five bytes, so no bits are left over. */
function fromBase32(text: string): Buffer | null {
  const bytes: number[] = [];
  let held = 0;
  let bits = 0;
  for (const letter of text) {
    const value = ALPHABET.indexOf(letter);
    if (value < 0) return null;
    held = ((held << 5) | value) & 0xfff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push((held >> bits) & 0xff);
  }
  return bits === 0 ? Buffer.from(bytes) : null;
}
