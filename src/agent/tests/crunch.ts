// Work with a known result: whole numbers, fractions and hashes, the same on every processor that computes correctly. A
// core that produces another digest must not be trusted with anybody's work.

/** The digest that every core must produce. */
export const DIGEST = "39bbdc3c42aa24494aa82d079426741b89860554c6772971231f6cbfbb2cafa6";

const ROUNDS = 20_000;
const CHAOS = 3.9999;

/** Computes for a few milliseconds, with operations that IEEE 754 and the language define to the last bit. */
export function crunch(): string {
  let x = 0x2545f491;
  let sum = 0;
  let chaos = 0.3;
  let root = 2;
  for (let n = 1; n <= ROUNDS; n++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    sum = (Math.imul(sum ^ x, 0x01000193) + n) | 0;
    // A wrong bit anywhere grows until the digest differs.
    chaos = CHAOS * chaos * (1 - chaos);
    root = Math.sqrt(root * n + chaos) / (chaos + 1.5);
  }
  const words = new DataView(new ArrayBuffer(24));
  words.setInt32(0, sum);
  words.setInt32(4, x);
  words.setFloat64(8, chaos);
  words.setFloat64(16, root);
  const block = new Uint8Array(64 * 1024);
  for (let i = 0; i < block.length; i++) block[i] = words.getUint8(i % 24) ^ (i & 0xff);
  return new Bun.CryptoHasher("sha256").update(block).digest("hex");
}
