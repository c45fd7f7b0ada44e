import type { Clock } from './clock.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** What a record may carry beside its message. Never a secret: tokens, keys and Secret data are not logged. */
export type LogFields = Readonly<Record<string, unknown>>;

export interface LogRecord {
  readonly timeMs: number;
  readonly level: LogLevel;
  /** Which component speaks: `apiserver`, `kubelet`. */
  readonly component: string;
  readonly message: string;
  readonly fields: LogFields;
}

/** Where records go. Must not throw and must not block. */
export type LogSink = (record: LogRecord) => void;

/** Structured log of one component. `error` takes the error itself as `fields.error`. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** The same sink under another component's name, with fields that every record carries. */
  child(component: string, fields?: LogFields): Logger;
  enabled(level: LogLevel): boolean;
}

const ORDER: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

export function createLogger(
  component: string,
  clock: Clock,
  sink: LogSink,
  level: LogLevel = 'info',
  fixed: LogFields = {},
): Logger {
  const say =
    (at: LogLevel) =>
    (message: string, fields: LogFields = {}) => {
      if (ORDER[at] >= ORDER[level])
        sink({ timeMs: clock.now(), level: at, component, message, fields: { ...fixed, ...fields } });
    };
  return {
    debug: say('debug'),
    info: say('info'),
    warn: say('warn'),
    error: say('error'),
    child: (name, fields = {}) => createLogger(name, clock, sink, level, { ...fixed, ...fields }),
    enabled: (at) => ORDER[at] >= ORDER[level],
  };
}

/** Says nothing: for tests and for parts that are told so. */
export const silentLogger: Logger = Object.freeze({
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
  enabled: () => false,
});

/** One line for people: `08:00:01.250 WARN  kubelet  image pull failed  image="x:1" error="no such host"`. */
export function formatRecord(record: LogRecord): string {
  const time = new Date(record.timeMs).toISOString().slice(11, 23);
  const fields = Object.entries(record.fields).map(([k, v]) => ` ${k}=${formatValue(v)}`);
  return `${time} ${record.level.toUpperCase().padEnd(5)} ${record.component.padEnd(10)} ${record.message}${fields.join('')}`;
}

function formatValue(value: unknown): string {
  if (value instanceof Error) return JSON.stringify(value.message);
  if (typeof value === 'bigint') return String(value);
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    // A cycle or a bigint inside: a log line is no place to fail.
    return '[unprintable]';
  }
}
