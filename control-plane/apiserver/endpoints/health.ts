import type { ApiRequest, ApiResponse } from '../api.ts';
import { textResponse } from '../responses.ts';
import type { Endpoint } from '../server.ts';

export type HealthPath = 'healthz' | 'livez' | 'readyz';

/** One thing that must be well. Throws (or rejects) with the reason when it is not; the reason is logged, not shown. */
export interface HealthCheck {
  readonly name: string;
  /** Where it counts. `healthz` is the old name of the live checks. */
  readonly paths: readonly HealthPath[];
  check(): Promise<void> | void;
}

const PATH = /^\/(healthz|livez|readyz)(?:\/(.+))?$/;

/**
 * `/healthz`, `/livez`, `/readyz` and one path for each check below them, as the API concept "API health endpoints" has it:
 * `?verbose` lists the checks, `?exclude=name` leaves some out. 200 `ok`, or 500 with what failed. Any method.
 */
export function healthEndpoint(
  checks: readonly HealthCheck[],
  failed: (name: string, error: unknown) => void,
): Endpoint {
  return {
    async handle(_server, _ctx, request) {
      const match = PATH.exec(request.path);
      if (!match) return undefined;
      const path = match[1] as HealthPath;
      const mine = checks.filter((check) => check.paths.includes(path));
      if (match[2] === undefined) return answerAll(path, mine, request, failed);
      const one = mine.find((check) => check.name === match[2]);
      return one ? answerAll(path, [one], request, failed) : undefined;
    },
  };
}

async function answerAll(
  path: HealthPath,
  checks: readonly HealthCheck[],
  request: ApiRequest,
  failed: (name: string, error: unknown) => void,
): Promise<ApiResponse> {
  const query = new URLSearchParams(request.query);
  const excluded = new Set(query.getAll('exclude'));
  const lines: string[] = [];
  const broken: string[] = [];
  for (const check of checks) {
    if (excluded.delete(check.name)) {
      lines.push(`[+]${check.name} excluded: ok`);
      continue;
    }
    try {
      await check.check();
      lines.push(`[+]${check.name} ok`);
    } catch (error) {
      failed(check.name, error);
      broken.push(check.name);
      lines.push(`[-]${check.name} failed: reason withheld`);
    }
  }
  if (excluded.size > 0) {
    const names = [...excluded].map((name) => `"${name}"`).join(', ');
    lines.push(`warn: some health checks cannot be excluded: no matches for ${names}`);
  }
  if (broken.length > 0) return textResponse(500, `${lines.join('\n')}\n${path} check failed\n`);
  return textResponse(200, query.has('verbose') ? `${lines.join('\n')}\n${path} check passed\n` : 'ok');
}
