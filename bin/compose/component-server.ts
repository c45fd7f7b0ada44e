// Where a component beside the API server can be asked how it is: the ports that Kubernetes gives them, on the loopback.

import type { ApiRequest, ApiResponse } from '../../control-plane/apiserver/api.ts';
import { METRICS_TYPE } from '../../control-plane/apiserver/endpoints/metrics.ts';
import { errorResponse, PLAIN_JSON, textResponse } from '../../control-plane/apiserver/responses.ts';
import type { ApiServer } from '../../control-plane/apiserver/server.ts';
import type { RunningApiServer } from './apiserver.ts';
import type { Around } from './components.ts';

/** Serves something beside the API, with its certificate. */
export type ServeBeside = RunningApiServer['serveBeside'];

/** What is told at which path. */
export type ComponentTexts = Readonly<Record<string, () => string | Promise<string>>>;

/** What may be asked by anybody. */
const HEALTH: ReadonlySet<string> = new Set(['/healthz', '/livez', '/readyz']);

/**
 * Answers for a component at `port`: its health to anybody, `texts` by path to those whom the API server knows and who
 * may `get` that path there. A port that is taken is told, and no reason to stop: the component works without.
 */
export async function serveComponent(
  { machine, server, serveBeside }: Pick<Around, 'machine' | 'server' | 'serveBeside'>,
  name: string,
  port: number,
  texts: ComponentTexts,
): Promise<AsyncDisposable | undefined> {
  try {
    return await serveBeside?.(port, (request) => answer(server, request, texts));
  } catch (error) {
    machine.log.warn('nobody can ask this component how it is at this port', { component: name, port, error });
    return undefined;
  }
}

async function answer(server: ApiServer, request: ApiRequest, texts: ComponentTexts): Promise<ApiResponse> {
  const { path } = request;
  if (HEALTH.has(path)) return textResponse(200, 'ok');
  try {
    await server.mustAllow(request);
  } catch (error) {
    return errorResponse(error, PLAIN_JSON, server.schema);
  }
  const text = Object.hasOwn(texts, path) ? await texts[path]?.() : undefined;
  return text === undefined ? textResponse(404, '404 page not found\n') : textResponse(200, text, METRICS_TYPE);
}
