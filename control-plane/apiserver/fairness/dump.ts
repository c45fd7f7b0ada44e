/** `/debug/api_priority_and_fairness/dump_…` (reference "Flow control"): who waits and who runs, as CSV in columns. */
import { formatTime } from '../../../libs/base/clock.ts';
import { textResponse } from '../responses.ts';
import type { Endpoint } from '../server.ts';
import type { Fairness } from './fairness.ts';
import type { PriorityLevel, Ticket } from './priority-level.ts';

type Row = readonly (string | number | boolean)[];

const PREFIX = '/debug/api_priority_and_fairness/';

export function fairnessDumps(fairness: Fairness): Endpoint {
  return {
    handle(_server, _ctx, { path, query }) {
      if (!path.startsWith(PREFIX)) return undefined;
      const dump = DUMPS.get(path.slice(PREFIX.length));
      if (!dump) return undefined;
      const details = new URLSearchParams(query).get('includeRequestDetails') === '1';
      return textResponse(200, inColumns(dump(fairness.all, details)));
    },
  };
}

const DUMPS = new Map<string, (levels: readonly PriorityLevel[], details: boolean) => Row[]>([
  ['dump_priority_levels', priorityLevels],
  ['dump_queues', queues],
  ['dump_requests', requests],
]);

function priorityLevels(levels: readonly PriorityLevel[]): Row[] {
  const head =
    'PriorityLevelName ActiveQueues IsIdle IsQuiescing WaitingRequests ExecutingRequests DispatchedRequests RejectedRequests TimedoutRequests CancelledRequests';
  return [
    head.split(' '),
    ...levels.map((level) => {
      const { name, queues: all, waiting, running, retired, told } = level;
      const active = all.filter((queue) => queue !== undefined && queue.load > 0).length;
      const { dispatched, rejected, timedOut, cancelled } = told;
      const idle = waiting + running === 0;
      return [name, active, idle, retired, waiting, running, dispatched, rejected, timedOut, cancelled];
    }),
  ];
}

function queues(levels: readonly PriorityLevel[]): Row[] {
  const head = 'PriorityLevelName Index PendingRequests ExecutingRequests SeatsInUse NextDispatchR';
  const rows = levels.flatMap(({ name, queues: all }) =>
    [...all].map((queue, index) => {
      const { waiting = [], load = 0, running = 0, virtualMs = 0 } = queue ?? {};
      const pending = waiting.reduce((sum, { width }) => sum + width, 0);
      return [name, index, waiting.length, running, load - pending, `${(virtualMs / 1000).toFixed(8)}ss`];
    }),
  );
  return [head.split(' '), ...rows];
}

function requests(levels: readonly PriorityLevel[], details: boolean): Row[] {
  const head =
    'PriorityLevelName FlowSchemaName QueueIndex RequestIndexInQueue FlowDistingsher ArriveTime InitialSeats';
  const more = 'UserName Verb APIPath Namespace Name APIVersion Resource SubResource';
  const row = (level: PriorityLevel, queue: number, index: number, ticket: Ticket): Row => {
    const { schemaName, distinguisher, user, attributes: of, arrivedMs, width } = ticket;
    const first = [level.name, schemaName, queue, index, distinguisher, formatTime(arrivedMs), width];
    if (!details) return first;
    const version = of.group === '' ? of.version : `${of.group}/${of.version}`;
    return [...first, user.name, of.verb, of.path, of.namespace, of.name, version, of.resource, of.subresource];
  };
  return [
    `${head}${details ? ` ${more}` : ''}`.split(' '),
    ...levels.flatMap((level) =>
      [...level.queues].flatMap((queue, at) => (queue?.waiting ?? []).map((ticket, i) => row(level, at, i, ticket))),
    ),
  ];
}

/** Each value with its comma, in columns that are as wide as their widest. */
function inColumns(rows: readonly Row[]): string {
  const texts = rows.map((row) => row.map((value, i) => `${value}${i < row.length - 1 ? ',' : ''}`));
  const widths: number[] = [];
  for (const row of texts) row.forEach((text, i) => (widths[i] = Math.max(widths[i] ?? 0, text.length)));
  return texts
    .map(
      (row) =>
        `${row
          .map((text, i) => text.padEnd(widths[i] ?? 0))
          .join(' ')
          .trimEnd()}\n`,
    )
    .join('');
}
