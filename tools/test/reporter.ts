// A reporter of node:test that hands each result to tools/test.ts, as lines of JSON on descriptor 3. Standard output is
// left to the tests themselves: without isolation they share it with the reporter.

import { writeSync } from 'node:fs';
import process from 'node:process';
import { inspect } from 'node:util';
import type { TestResult } from './results.ts';

type Event = {
  readonly type: string;
  readonly data: {
    readonly name?: string;
    readonly file?: string;
    readonly line?: number;
    readonly message?: string;
    readonly skip?: boolean | string;
    readonly todo?: boolean | string;
    readonly details?: { readonly type?: string; readonly duration_ms?: number; readonly error?: Failure };
  };
};

type Failure = Error & { readonly failureType?: string; readonly cause?: unknown };

const FD = 3;

export default async function* report(events: AsyncIterable<Event>): AsyncGenerator<string> {
  for await (const event of events) {
    const result = resultOf(event);
    if (result !== undefined) send(`${JSON.stringify(result)}\n`);
    yield ''; // nothing for the destination that node:test has opened
  }
}

function resultOf({ type, data }: Event): TestResult | undefined {
  const place = { name: data.name ?? '', file: data.file ?? '', line: data.line ?? 0 };
  const durationMs = data.details?.duration_ms ?? 0;
  switch (type) {
    case 'test:pass': {
      if (data.details?.type === 'suite') return undefined;
      const skipped = data.skip !== undefined && data.skip !== false;
      const reason = typeof data.skip === 'string' ? data.skip : '';
      return skipped ? { kind: 'skipped', ...place, durationMs, reason } : { kind: 'passed', ...place, durationMs };
    }
    case 'test:fail': {
      const error = data.details?.error;
      // A suite or a test around others fails because one of those did: that one is told.
      if (error?.failureType === 'subtestsFailed') return undefined;
      return { kind: 'failed', ...place, durationMs, text: textOf(error) };
    }
    case 'test:stdout':
    case 'test:stderr':
      return { kind: 'output', file: place.file, text: data.message ?? '' };
    case 'test:dequeue':
    case 'test:complete':
      // A file with a process of its own is a test to node:test, which lasts as long as the process: that is no test.
      if (place.name === place.file) return undefined;
      return { kind: type === 'test:dequeue' ? 'started' : 'ended', ...place };
    default:
      return undefined;
  }
}

/** A failure as a person wants to read it: what the test threw, without node:test's own wrapping. */
function textOf(error: Failure | undefined): string {
  if (error === undefined) return 'failed without an error';
  const cause = error.failureType === 'testCodeFailure' || error.failureType === 'hookFailed' ? error.cause : error;
  return inspect(cause ?? error, { depth: 6, maxStringLength: 4000, maxArrayLength: 50 });
}

function send(text: string): void {
  const bytes = Buffer.from(text);
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let sent = 0; sent < bytes.length; ) {
    try {
      sent += writeSync(FD, bytes, sent);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EPIPE') process.exit(1);
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      Atomics.wait(pause, 0, 0, 5);
    }
  }
}
