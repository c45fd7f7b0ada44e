import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { createNodeFiles } from '../../libs/base/node/files.ts';
import { RealClock } from '../../libs/base/node/real-clock.ts';
import { type LogFiles, readLog, tailPosition } from './log-reader.ts';
import {
  containerLogPath,
  formatTimestamp,
  LogFilter,
  type LogSelection,
  LogWriter,
  legacyLogLink,
  parseLogLine,
  parsePodLogDirectory,
  parseTimestamp,
  podLogDirectory,
} from './logs.ts';

const clock = new RealClock();
const files = createNodeFiles();
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytes = (s: string) => new TextEncoder().encode(s);

test('lines', () => {
  const cases: [string, string | undefined][] = [
    ['2016-10-06T00:17:09.669794202Z stdout F hello', 'stdout F "hello"'],
    ['2016-10-06T00:17:09.669794202Z stderr P part', 'stderr P "part"'],
    ['2016-10-06T00:17:09Z stdout F:extra two  spaces ', 'stdout F "two  spaces "'],
    ['2016-10-06T00:17:09.6+02:00 stdout F ', 'stdout F ""'],
    ['2016-10-06T00:17:09Z stdout F', 'stdout F ""'],
    ['2016-10-06T00:17:09Z stdout', undefined],
    ['2016-10-06T00:17:09Z stdwhat F x', undefined],
    ['2016-10-06T00:17:09Z stdout X x', undefined],
    ['yesterday stdout F x', undefined],
    ['', undefined],
    ['{"log":"x"}', undefined],
  ];
  for (const [line, expected] of cases) {
    const parsed = parseLogLine(bytes(line));
    const shown = parsed && `${parsed.stream} ${parsed.partial ? 'P' : 'F'} ${JSON.stringify(text(parsed.content))}`;
    assert.equal(shown, expected, line);
  }
});

test('times keep their nine digits', () => {
  const cases: [string, bigint | undefined][] = [
    ['2016-10-06T00:17:09.669794202Z', 1_475_713_029_669_794_202n],
    ['2016-10-06T02:17:09.67+02:00', 1_475_713_029_670_000_000n],
    ['1970-01-01T00:00:00Z', 0n],
    ['2016-13-06T00:17:09Z', undefined],
    ['now', undefined],
  ];
  for (const [time, expected] of cases) assert.equal(parseTimestamp(time), expected, time);
  assert.equal(formatTimestamp(1_475_713_029_669_794_202n), '2016-10-06T00:17:09.669794202Z');
  assert.equal(formatTimestamp(1_475_713_029_000_000_001n), '2016-10-06T00:17:09.000000001Z');
});

test('a writer cuts output into lines and long lines into parts', () => {
  const writer = new LogWriter('stdout', 8);
  const at = 1_475_713_029_669_794_202n;
  const T = '2016-10-06T00:17:09.669794202Z stdout';
  assert.equal(text(writer.write(bytes('one\ntw'), at)), `${T} F one\n`);
  assert.equal(text(writer.write(bytes('o\n\n'), at)), `${T} F two\n${T} F \n`);
  assert.equal(text(writer.write(bytes('0123456789\nno end'), at)), `${T} P 01234567\n${T} F 89\n`);
  assert.equal(text(writer.end(at)), `${T} P no end\n`);
  assert.equal(writer.end(at).length, 0);
});

const LOG = [
  '2026-01-01T00:00:01.5Z stdout F one',
  '2026-01-01T00:00:02.123456789Z stderr F bad',
  '2026-01-01T00:00:03Z stdout P long ',
  '2026-01-01T00:00:03Z stderr F between',
  'garbage',
  '2026-01-01T00:00:03Z stdout F line',
  '2026-01-01T00:00:04Z stdout F four',
  '',
].join('\n');

const SELECTIONS: [string, LogSelection, string][] = [
  ['everything', {}, 'one\nbad\nlong between\nline\nfour\n'],
  ['one stream', { stream: 'stderr' }, 'bad\nbetween\n'],
  ['since', { sinceNanos: parseTimestamp('2026-01-01T00:00:03Z') as bigint, stream: 'stdout' }, 'long line\nfour\n'],
  [
    'timestamps at the start of lines only',
    { timestamps: true, stream: 'stdout' },
    '2026-01-01T00:00:01.500000000Z one\n2026-01-01T00:00:03.000000000Z long line\n2026-01-01T00:00:04.000000000Z four\n',
  ],
  ['a limit in bytes', { limitBytes: 6 }, 'one\nba'],
  ['a limit of nothing', { limitBytes: 0 }, ''],
  ['the last lines of the file', { tailLines: 2 }, 'line\nfour\n'],
  ['more lines than there are', { tailLines: 100 }, 'one\nbad\nlong between\nline\nfour\n'],
  ['no lines', { tailLines: 0 }, ''],
];

test('selections, whatever the cut of the file', () => {
  const wire = bytes(LOG);
  for (const [name, selection, expected] of SELECTIONS) {
    if (selection.tailLines !== undefined) continue;
    for (const size of [1, 7, 64, 10_000]) {
      const filter = new LogFilter(selection);
      let out = '';
      for (let at = 0; at < wire.length; at += size) out += text(filter.push(wire.subarray(at, at + size)));
      assert.equal(out + text(filter.end()), expected, `${name}, cut every ${size}`);
    }
  }
});

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'logs-'));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

async function read(path: string, selection: LogSelection): Promise<string> {
  let out = '';
  for await (const chunk of readLog({ files, clock, path, ...selection })) out += text(chunk);
  return out;
}

test('a file is read by its selection', async (t) => {
  const path = join(folder(t), '0.log');
  writeFileSync(path, LOG);
  for (const [name, selection, expected] of SELECTIONS) assert.equal(await read(path, selection), expected, name);
  await assert.rejects(read(`${path}.none`, {}), { code: 'ENOENT' });
});

test('the last lines stay as many when more are written meanwhile', async (t) => {
  const path = join(folder(t), '0.log');
  writeFileSync(path, LOG);
  const growing: LogFiles = {
    ...files,
    async open(name) {
      const file = await files.open(name);
      const readAt: typeof file.readAt = (...args) => {
        appendFileSync(path, LOG);
        return file.readAt(...args);
      };
      return {
        stat: () => file.stat(),
        readAt,
        [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
      } as typeof file;
    },
  };
  let out = '';
  for await (const chunk of readLog({ files: growing, clock, path, tailLines: 2 })) out += text(chunk);
  assert.equal(out, 'line\nfour\n');
});

test('the last lines are found in a long file', async () => {
  const lines = Array.from({ length: 20_000 }, (_, i) => `line ${i} ${'x'.repeat(i % 30)}\n`);
  const whole = bytes(lines.join(''));
  const file = { readAt: async (at: number, length: number) => whole.subarray(at, at + length) };
  for (const count of [1, 2, 100, 10_000, 19_999, 20_000, 30_000]) {
    const position = await tailPosition(file, whole.length, count);
    assert.equal(text(whole.subarray(position)), lines.slice(-count).join(''), `${count} lines`);
  }
  assert.equal(await tailPosition(file, whole.length - 1, 1), whole.length - (lines.at(-1) as string).length);
  assert.equal(await tailPosition(file, 0, 5), 0);
});

test('following misses nothing when what it reads and what comes next are compressed meanwhile', async (t) => {
  const path = join(folder(t), '0.log');
  const line = (s: string) => `2026-01-01T00:00:01Z stdout F ${s}\n`;
  const compress = (stamp: string) => {
    writeFileSync(`${path}.${stamp}.gz`, gzipSync(readFileSync(`${path}.${stamp}`)));
    rmSync(`${path}.${stamp}`);
  };
  writeFileSync(`${path}.20251231-235959.gz`, gzipSync(line('what was before')));
  writeFileSync(path, line('a'));
  const log = readLog({ files, clock, path, follow: true, running: async () => false });
  assert.equal(text((await log.next()).value!), 'a\n');
  for (const [stamp, next] of Object.entries({
    '20260101-000001': 'b',
    '20260101-000002': 'c',
    '20260101-000003': 'd',
  })) {
    renameSync(path, `${path}.${stamp}`);
    writeFileSync(path, line(next));
  }
  compress('20260101-000001');
  compress('20260101-000002');
  writeFileSync(`${path}.20260101-000003.gz.tmp`, 'not whole yet');
  const rest: string[] = [];
  for await (const chunk of log) rest.push(text(chunk));
  assert.equal(rest.join(''), 'b\nc\nd\n');
});

test('following misses nothing when a log is rotated twice before it looks', async (t) => {
  const path = join(folder(t), '0.log');
  const line = (s: string) => `2026-01-01T00:00:01Z stdout F ${s}\n`;
  writeFileSync(path, line('a'));
  const log = readLog({ files, clock, path, follow: true, running: async () => false });
  assert.equal(text((await log.next()).value!), 'a\n');
  renameSync(path, `${path}.20260101-000001`);
  writeFileSync(path, line('b'));
  renameSync(path, `${path}.20260101-000002`);
  writeFileSync(path, line('c'));
  const rest: string[] = [];
  for await (const chunk of log) rest.push(text(chunk));
  assert.equal(rest.join(''), 'b\nc\n');
});

test('following goes over a rotation and ends with the container', async (t) => {
  const base = folder(t);
  const path = join(base, '0.log');
  const line = (s: string) => `2026-01-01T00:00:01Z stdout F ${s}\n`;
  writeFileSync(path, line('a'));
  let running = true;
  const seen: string[] = [];
  const log = readLog({ files, clock, path, follow: true, running: async () => running });
  const until = async (s: string) => {
    while (!seen.includes(s)) {
      const { value, done } = await log.next();
      if (done) throw new Error(`ended before ${s}, after ${seen}`);
      seen.push(...text(value).trim().split('\n'));
    }
  };
  await until('a');
  appendFileSync(path, line('b'));
  await until('b');
  appendFileSync(path, line('c'));
  renameSync(path, `${path}.1`);
  // Until it is told to open its log anew the runtime goes on writing to the old file.
  appendFileSync(`${path}.1`, line('d'));
  await until('d');
  appendFileSync(`${path}.1`, line('e'));
  writeFileSync(path, line('f'));
  await until('f');
  appendFileSync(path, line('last'));
  running = false;
  await until('last');
  assert.deepEqual(await log.next(), { done: true, value: undefined });
  assert.deepEqual(seen, ['a', 'b', 'c', 'd', 'e', 'f', 'last']);
});

test('following has what a runtime writes to the old file once it has begun a new one', async (t) => {
  const path = join(folder(t), '0.log');
  const line = (s: string) => `2026-01-01T00:00:01Z stdout F ${s}\n`;
  writeFileSync(path, line('a'));
  class LateWords extends RealClock {
    override async sleep(): Promise<void> {
      appendFileSync(`${path}.20260101-000001`, line('b'));
    }
  }
  const log = readLog({ files, clock: new LateWords(), path, follow: true, running: async () => false });
  assert.equal(text((await log.next()).value!), 'a\n');
  renameSync(path, `${path}.20260101-000001`);
  writeFileSync(path, line('c'));
  const rest: string[] = [];
  for await (const chunk of log) rest.push(text(chunk));
  assert.equal(rest.join(''), 'b\nc\n');
});

test('following ends when the reader gives up', async (t) => {
  const path = join(folder(t), '0.log');
  writeFileSync(path, '');
  const abort = new AbortController();
  const log = readLog({ files, clock, path, follow: true, running: async () => true, signal: abort.signal });
  const next = log.next();
  await clock.sleep(10);
  abort.abort();
  assert.equal((await next).done, true);
});

test('where logs lie', () => {
  const folder = podLogDirectory('/var/log/pods', 'default', 'web-0', 'abc-1');
  assert.equal(folder, '/var/log/pods/default_web-0_abc-1');
  assert.deepEqual(parsePodLogDirectory(folder), { namespace: 'default', name: 'web-0', uid: 'abc-1' });
  for (const foreign of ['/var/log/pods/x', '/var/log/pods/a_b', '/var/log/pods/a_b_c_d', '/var/log/pods/a__c']) {
    assert.equal(parsePodLogDirectory(foreign), undefined, foreign);
  }
  assert.equal(containerLogPath('main', 3), 'main/3.log');
  assert.equal(legacyLogLink('ns', 'p', 'c', 'f00'), 'p_ns_c-f00.log');
  assert.equal(legacyLogLink('n', 'p'.repeat(253), 'c', 'f'.repeat(64)).length, 255);
});
