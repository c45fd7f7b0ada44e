import assert from 'node:assert/strict';
import { test } from 'node:test';
import { amount, FIGURES_END, FIGURES_START, type Figure, isMet, terminalTable, withFigures } from './figure.ts';

const get: Figure = { name: 'GET', value: 18_234.6, unit: '/s', atLeast: 15_000, upstream: '5,900/s' };
const start: Figure = { name: 'start', value: 0.5123, unit: 's', atMost: 0.4 };
const list: Figure = { name: 'LIST', value: 1.25, unit: 'GB/s' };
const empty = `# P\n\n${FIGURES_START}\n${FIGURES_END}\n\nend\n`;

test('amounts have three digits that matter', () => {
  const cases: [number, string, string][] = [
    [18_234.6, '/s', '18,235/s'],
    [0.217_43, 's', '0.217 s'],
    [12.345, 'ms', '12.3 ms'],
    [0, 'ms', '0 ms'],
    [1, 'GB/s', '1 GB/s'],
  ];
  for (const [value, unit, text] of cases) assert.equal(amount(value, unit), text);
});

test('a figure is met at its limit and missed beyond it', () => {
  assert.deepEqual([get, start, list, { ...start, value: 0.4 }].map(isMet), [true, false, true, true]);
});

test('the terminal sees columns', () => {
  assert.equal(
    terminalTable([get, start]),
    [
      'figure  measured          must reach  upstream',
      'GET     18,235/s          ≥ 15,000/s  5,900/s',
      'start   0.512 s (missed)  ≤ 0.4 s',
    ].join('\n'),
  );
});

test('the document keeps what was not measured, unless it comes from another machine', () => {
  const first = withFigures(empty, 'machine A', [get, start]);
  assert.ok(first.includes('| GET | 18,235/s | ≥ 15,000/s | 5,900/s |\n| start |'));
  const second = withFigures(first, 'machine A', [{ ...get, value: 20_000 }, list]);
  assert.deepEqual(
    second
      .split('\n')
      .filter((line) => line.startsWith('| '))
      .slice(2)
      .map((line) => line.split(' | ', 2).join(' | ')),
    ['| GET | 20,000/s', '| start | 0.512 s (missed)', '| LIST | 1.25 GB/s'],
  );
  assert.ok(second.startsWith('# P\n') && second.endsWith('\n\nend\n'));
  assert.equal(withFigures(second, 'machine A', [list]), second);
  const moved = withFigures(second, 'machine B', [list]);
  assert.ok(moved.includes('machine B') && !moved.includes('GET') && !moved.includes('machine A'));
});

test('a document without a place for figures is refused', () => {
  assert.throws(() => withFigures('# P\n', 'machine', [get]), /no place/);
});
