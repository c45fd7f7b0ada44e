import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RequestContext } from '../../../libs/kind/request.ts';
import { textOf } from '../../../libs/machinery/field-errors.ts';
import type { Event } from '../../types/core/v1.generated.ts';
import { validateEventUpdate } from './validation.ts';

const through = (group: string) => ({ attributes: { group } }) as unknown as RequestContext;
const event = (more: Partial<Event> = {}): Event => ({
  metadata: { name: 'e', namespace: 'default' },
  involvedObject: { kind: 'Pod', namespace: 'default', name: 'p' },
  message: 'm',
  ...more,
});

test('through the newer group only the series of an event changes', () => {
  const cases: [string, Partial<Event>, string[]][] = [
    ['nothing', {}, []],
    ['a series', { series: { count: 2, lastObservedTime: '2026-01-01T00:00:00.000000Z' } }, []],
    [
      'a series that is none',
      { series: { count: 1 } },
      ['series.count: Invalid value: "": should be at least 2', 'series.lastObservedTime: Required value'],
    ],
    ['its words', { message: 'n' }, ['message: Invalid value: "n": field is immutable']],
    ['how often', { count: 3 }, ['count: Invalid value: 3: field is immutable']],
    ['who tells', { reportingComponent: 'c' }, ['reportingController: Invalid value: "c": field is immutable']],
    [
      'when, and why',
      { eventTime: '2026-01-01T00:00:00.000000Z', reason: 'R' },
      [
        'reason: Invalid value: "R": field is immutable',
        'eventTime: Invalid value: "2026-01-01T00:00:00.000000Z": field is immutable',
      ],
    ],
  ];
  for (const [what, change, wanted] of cases) {
    const changed = event(change);
    assert.deepEqual(validateEventUpdate(changed, event(), through('events.k8s.io')).map(textOf), wanted, what);
    assert.deepEqual(validateEventUpdate(changed, event(), through('')), [], `${what}, through the core group`);
  }
});
