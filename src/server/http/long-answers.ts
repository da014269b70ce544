// Answers that stay open: watched changes and followed logs. Each is counted against the quotas while it is open, and
// each asks again and again whether its reader may still have it. An answer that ends before its bytes do is cut: an
// orderly end would say that the reader has all of it.

import type { Quota } from "../../core/limits";

export interface LongAnswer {
  /** Ends the count of the answer. */
  readonly release: () => void;
  /** Returns whether the reader may still have the answer. */
  readonly holds: () => boolean;
}

export interface LongAnswers {
  /** Returns the same bytes, until they end, their reader goes, or the reader may not have them any more. */
  keep(bytes: ReadableStream<Uint8Array>, answer: LongAnswer): ReadableStream<Uint8Array>;
  /** Cuts the answers whose readers may not have them any more. */
  tick(): void;
  /** Cuts all answers. */
  stop(): void;
  readonly count: () => number;
}

/** The quotas of long answers. */
export type LongQuota = Extract<Quota, "watchers" | "logs">;

interface Open {
  readonly holds: () => boolean;
  readonly cut: () => void;
}

export function createLongAnswers(): LongAnswers {
  const open = new Set<Open>();
  const cutAll = (which: (one: Open) => boolean): void => {
    for (const one of Array.from(open)) if (which(one)) one.cut();
  };
  return {
    keep: (bytes, answer) => kept(open, bytes.getReader(), answer),
    tick: () => cutAll(({ holds }) => !holds()),
    stop: () => cutAll(() => true),
    count: () => open.size,
  };
}

type Reader = ReadableStreamDefaultReader<Uint8Array>;

function kept(open: Set<Open>, reader: Reader, { release, holds }: LongAnswer): ReadableStream<Uint8Array> {
  let over = false;
  const finish = (): void => {
    over = true;
    open.delete(own);
    release();
  };
  let cut = (): void => undefined;
  const own: Open = { holds, cut: () => cut() };
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        open.add(own);
        cut = () => {
          if (over) return;
          finish();
          const why = new Error("the answer is cut");
          reader.cancel(why).catch((error: unknown) => controller.error(error));
          controller.error(why);
        };
      },
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (over) return;
          if (done) {
            finish();
            controller.close();
          } else controller.enqueue(value);
        } catch (error) {
          if (over) return;
          finish();
          controller.error(error);
        }
      },
      async cancel() {
        if (over) return;
        finish();
        await reader.cancel();
      },
    },
    { highWaterMark: 0 },
  );
}
