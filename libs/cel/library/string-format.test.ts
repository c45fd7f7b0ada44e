import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { compile, kubernetesEnvironment } from '../cel.ts';

suite('format', () => {
  const cases: [expression: string, value: string][] = [
    [`"%s is %d%%".format(["x", 5])`, 'x is 5%'],
    [`"%s".format([["a", 1, true]])`, '["a", 1, true]'],
    [`"%s".format([{"b": 1, "a": "x"}])`, '{"a": "x", "b": 1}'],
    [`"%.2f %e".format([1.005, 1234.5])`, '1.00 1.234500e+03'],
    [`"%x %X %o %b".format([255, "hi", 8, 5])`, 'ff 6869 10 101'],
    [`"%s %s".format([duration("90m"), timestamp("2001-02-03T04:05:06Z")])`, '5400s 2001-02-03T04:05:06Z'],
    [`"%s".format([null])`, 'null'],
  ];
  for (const [expression, value] of cases) {
    test(expression, () => assert.equal(compile(kubernetesEnvironment(), expression).program.run({}).value, value));
  }

  const failures: [expression: string, told: RegExp][] = [
    [`"%s %s".format(["one"])`, /index 1 out of range/],
    [`"%d".format(["x"])`, /can only be used on integers, was given string/],
    [`"%q".format(["x"])`, /unrecognized formatting clause "q"/],
  ];
  for (const [expression, told] of failures) {
    test(expression, () => assert.throws(() => compile(kubernetesEnvironment(), expression).program.run({}), told));
  }
});
