import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answers } from '../../tests/fidelity/answers.ts';
import {
  everything,
  formatLabelSelector,
  formatLabels,
  labelSelectorOf,
  nothing,
  parseLabelSelector,
  selectorOfLabels,
} from './labels.ts';

test('reading and writing', () => {
  const table: [string, string][] = [
    ['', ''],
    [' a = b ', 'a=b'],
    ['a==b', 'a==b'],
    ['a!=b', 'a!=b'],
    ['b in (y,x,x),a', 'a,b in (x,y)'],
    ['!a', '!a'],
    ['a>1,b<2', 'a>1,b<2'],
    ['a notin ()', 'a notin ()'],
    ['a=', 'a='],
    ['a=,b', 'a=,b'],
    ['in in (in)', 'in in (in)'],
    ['a in (,x)', 'a in (,x)'],
    ['a in (x,)', 'a in (,x)'],
  ];
  for (const [text, want] of table) assert.equal(String(parseLabelSelector(text)), want, text);
});

test('matching', () => {
  const labels = { app: 'web', n: '5', e: '' };
  const yes = [
    '',
    'app',
    'app=web',
    'app in (a,web)',
    'app!=x',
    'none!=x',
    '!none',
    'none notin (x)',
    'n>4',
    'n<6',
    'e=',
    'e in ()',
  ];
  const no = ['app=x', 'none', 'none=', '!app', 'app notin (web)', 'n>5', 'app>1', 'none>1', 'constructor', 'e!='];
  for (const text of yes) assert.ok(parseLabelSelector(text).matches(labels), text);
  for (const text of no) assert.ok(!parseLabelSelector(text).matches(labels), text);
  assert.ok(parseLabelSelector('!a').matches(undefined));
  assert.equal(parseLabelSelector('a=1,b in (2),c in (3,4)').exactMatch('b'), '2');
  assert.equal(parseLabelSelector('c in (3,4)').exactMatch('c'), undefined);
});

test('what cannot be read', () => {
  const table: [string, string][] = [
    ['=a', "found '=', expected: !, identifier, or 'end of string'"],
    ['a=b c', "found 'c', expected: ',' or 'end of string'"],
    ['a,', "found '', expected: identifier after ','"],
    ['!', "unable to parse requirement: found '', expected: identifier"],
    ['a in (b', "unable to parse requirement: found '', expected: ',' or ')'"],
    ['a in (b c)', "unable to parse requirement: found 'c', expected: ',' or ')'"],
    ['a in b', "unable to parse requirement: found 'b' expected: '('"],
    ['a in (=)', "unable to parse requirement: found '=', expected: ',', ')' or identifier"],
    [
      'a>x',
      "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer",
    ],
    ['a=-b', 'unable to parse requirement: values[0][a]: Invalid value: "-b": a valid label must be'],
  ];
  for (const [text, message] of table) {
    assert.throws(
      () => parseLabelSelector(text),
      (e: Error) => e.name === 'LabelSelectorError' && e.message.startsWith(message),
      text,
    );
  }
});

test('selector objects', () => {
  assert.equal(labelSelectorOf(undefined), nothing);
  assert.ok(!nothing.matches({}) && !nothing.empty);
  assert.equal(labelSelectorOf({}), everything);
  const selector = labelSelectorOf({
    matchLabels: { b: '1' },
    matchExpressions: [
      { key: 'a', operator: 'NotIn', values: ['x'] },
      { key: 'c', operator: 'DoesNotExist' },
    ],
  });
  assert.equal(String(selector), 'a notin (x),b=1,!c');
  assert.ok(selector.matches({ b: '1', a: 'y' }) && !selector.matches({ b: '1', c: '' }));
  assert.throws(() => labelSelectorOf({ matchExpressions: [{ key: 'a', operator: 'in', values: [] }] }), {
    message: '"in" is not a valid label selector operator',
  });
  assert.equal(formatLabelSelector({}), '<none>');
  assert.equal(formatLabelSelector({ matchLabels: { a: 'b' } }), 'a=b');
  assert.equal(formatLabels({ b: '2', a: '1' }), 'a=1,b=2');
  assert.ok(selectorOfLabels({ a: '1' }).matches({ a: '1', b: '' }));
});

test("upstream's recorded label selectors", { skip: answers.skip }, () => {
  let played = 0;
  for (const {
    id,
    steps,
    answers: [...replies],
  } of answers.read('read')) {
    if (!id.startsWith('read/label-selectors/')) continue;
    const objects = steps.slice(0, -1).map((step) => (step.b as any).metadata);
    const query = steps.at(-1)?.p.split('?')[1] ?? '';
    const text = new URLSearchParams(query).get('labelSelector') ?? '';
    const reply = replies.at(-1) as any;
    played++;
    if (reply.code === 200) {
      const selector = parseLabelSelector(text);
      const found = objects.filter(({ labels }) => selector.matches(labels)).map(({ name }) => name);
      assert.deepEqual(
        found,
        (reply.body.items ?? []).map((item: any) => item.metadata.name),
        id,
      );
    } else {
      assert.throws(() => parseLabelSelector(text), { message: reply.body.message }, id);
    }
  }
  assert.ok(played > 20);
});
