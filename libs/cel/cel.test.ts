import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CompileError, CostError, compile, EvaluationError, kubernetesEnvironment } from './cel.ts';
import { jsonOfValue, valueOfJson } from './json.ts';
import { DYN } from './types.ts';

const SELF = {
  name: 'web',
  replicas: 3,
  ratio: 0.5,
  tags: ['a', 'b', 'c'],
  labels: { app: 'x', 'a/b': 'y' },
  nothing: null,
};
const environment = kubernetesEnvironment().with({ self: DYN });

const run = (source: string, limit?: number): unknown => {
  const { value } = compile(environment, source).program.run({ self: valueOfJson(SELF) }, limit);
  return jsonOfValue(value);
};

describe('expressions that have a value', () => {
  for (const [source, expected] of [
    // Numbers, precedence, comparison
    ['1 + 2 * 3', 7],
    ['(1 + 2) * 3', 9],
    ['-7 / 2', -3],
    ['-7 % 3', -1],
    ['7.0 / 2.0', 3.5],
    ['1 < 2 && 2u < 3u && 1.5 > 1.0', true],
    ['dyn(1) == 1.0 && dyn(1u) == 1', true],
    ['0x10 + 1', 17],
    // Text and bytes
    ['"a" + "b" == "ab"', true],
    ["r'\\n'.size()", 2],
    ['"é".size()', 1],
    ['b"é".size()', 2],
    ['"abc".contains("b") && "abc".startsWith("a") && "abc".endsWith("c")', true],
    ['"a1b22".matches("[0-9]{2}")', true],
    ['"abc".matches("^b")', false],
    ['"A-b".lowerAscii() + "x".upperAscii()', 'a-bX'],
    ['"a,b,c".split(",")', ['a', 'b', 'c']],
    ['["a", "b"].join("-")', 'a-b'],
    ['"hello".substring(1, 3)', 'el'],
    ['"  x ".trim()', 'x'],
    ['"aXbX".replace("X", "-", 1)', 'a-bX'],
    ['"abcd".indexOf("c")', 2],
    ['"%s is %d".format([dyn("x"), 3])', 'x is 3'],
    ['"a12b3".find("[0-9]+")', '12'],
    ['"a12b3".findAll("[0-9]+")', ['12', '3']],
    // Lists and maps
    ['size(self.tags)', 3],
    ['self.tags[1]', 'b'],
    ['"b" in self.tags && !("z" in self.tags)', true],
    ['"app" in self.labels', true],
    ['self.labels["a/b"]', 'y'],
    ['[1, 2] + [3]', [1, 2, 3]],
    ['{"a": 1}["a"]', 1],
    ['[3, 1, 2].isSorted()', false],
    ['[1, 2, 3].sum()', 6],
    ['[2, 5, 1].max() - [2, 5, 1].min()', 4],
    ['["a", "b", "a"].indexOf("b")', 1],
    ['["a", "b", "a"].lastIndexOf("a")', 2],
    ['sets.contains([1, 2, 3], [2])', true],
    ['sets.intersects([1], [2])', false],
    ['sets.equivalent([1, 2], [2, 1, 1])', true],
    // Macros
    ['self.tags.all(t, t.size() == 1)', true],
    ['self.tags.exists(t, t == "c")', true],
    ['self.tags.exists_one(t, t > "b")', true],
    ['self.tags.map(t, t + "!")', ['a!', 'b!', 'c!']],
    ['self.tags.map(t, t != "b", t + "!")', ['a!', 'c!']],
    ['self.tags.filter(t, t != "b")', ['a', 'c']],
    ['self.labels.all(k, k.size() > 0)', true],
    ['has(self.name) && !has(self.nope)', true],
    // What fails on one side of || and && does not matter where the other decides
    ['true || 1 / 0 == 1', true],
    ['1 / 0 == 1 || true', true],
    ['false && self.nope.deep', false],
    ['self.replicas > 2 ? "many" : "few"', 'many'],
    // Types and conversions
    ['int("42") + int(3.9) + int(2u)', 47],
    ['string(1) + string(true) + string(1.5)', '1true1.5'],
    ['double("1.5") * 2.0', 3],
    ['type(1) == int && type("x") == string && type([]) == list', true],
    ['dyn(1) == 1', true],
    ['self.nothing == null', true],
    // Time
    ['duration("90s") == duration("1m30s")', true],
    ['timestamp("2026-01-31T00:00:00Z") + duration("24h") == timestamp("2026-02-01T00:00:00Z")', true],
    ['timestamp("2026-01-31T10:20:30Z").getHours()', 10],
    ['timestamp("2026-01-31T00:00:00Z").getDayOfWeek()', 6],
    ['duration("1h").getMinutes()', 60],
    // Kubernetes' own
    ['quantity("1Gi").isGreaterThan(quantity("1000Mi"))', true],
    ['quantity("1").add(quantity("500m")).compareTo(quantity("1500m"))', 0],
    ['isQuantity("1x")', false],
    ['url("https://a.example:8443/p?q=1").getHost()', 'a.example:8443'],
    ['url("https://a.example/p").getEscapedPath()', '/p'],
    ['isURL("no url")', false],
    ['ip("10.0.0.1").family()', 4],
    ['ip("::1").isLoopback()', true],
    ['isIP("300.0.0.1")', false],
    ['cidr("10.0.0.0/8").containsIP("10.1.2.3")', true],
    ['cidr("10.0.0.0/8").prefixLength()', 8],
    ['semver("1.2.3").isLessThan(semver("1.10.0"))', true],
    ['optional.of(1).orValue(2) + optional.none().orValue(2)', 3],
    ['{"a": 1}[?"b"].orValue(7)', 7],
    ['format.dns1123Label().validate("Not_One").hasValue()', true],
  ] as const) {
    it(source, () => assert.deepEqual(run(source), expected));
  }
});

describe('expressions that cannot be compiled', () => {
  for (const source of [
    '',
    '1 +',
    '(1',
    '"open',
    '1 + "a"',
    'nope',
    'self.tags.all(1, true)',
    '1 ? 2 : 3',
    'size(1)',
    '1 == 1.0',
    '[1, "a"]',
    'cel.bind(x, 1, x)',
    '"a".unknown()',
    '[1, "a"][0] + [true] == 1 &&',
    '9223372036854775808',
    'duration("x")',
    '"a".matches("(")',
    `${'('.repeat(5000)}1${')'.repeat(5000)}`,
  ]) {
    it(source.slice(0, 40) || 'nothing', () => assert.throws(() => compile(environment, source), CompileError));
  }
});

describe('expressions that fail upon their values', () => {
  for (const source of [
    '1 / (self.replicas - 3)',
    'self.replicas % 0',
    '9223372036854775807 + self.replicas',
    'self.tags[7]',
    'self.labels["none"]',
    'self.nope',
    'self.name + 1',
    'int(self.name)',
    'timestamp(self.name)',
    'quantity(self.name)',
  ]) {
    it(source, () => assert.throws(() => run(source), EvaluationError));
  }

  it('cost more than they may', () => {
    const wide = 'self.tags.all(a, self.tags.all(b, self.tags.all(c, a + b + c != "")))';
    assert.equal(run(wide, 10_000), true);
    assert.throws(() => run(wide, 20), CostError);
  });
});
