import { methodNotAllowed } from '../../../libs/machinery/errors.ts';
import type { KindSet } from '../registry/kind-set.ts';
import { respond, wholeBody } from '../responses.ts';
import type { Endpoint } from '../server.ts';

/** `/`: every path that is worth a look. `paths` beside those of the groups. */
export function indexEndpoint(kinds: KindSet, paths: readonly string[]): Endpoint {
  return {
    handle(_server, _ctx, request, form) {
      if (request.path !== '/' && request.path !== '/index.html') return undefined;
      if (request.method !== 'GET' && request.method !== 'HEAD') throw methodNotAllowed();
      const all = new Set(['/api', '/apis', '/apis/', ...paths]);
      for (const { group, version } of kinds.served) {
        if (group === '') all.add(`/api/${version}`);
        else all.add(`/apis/${group}`).add(`/apis/${group}/${version}`);
      }
      return respond(200, wholeBody({ value: { paths: [...all].sort() } }, { ...form, media: 'json' }));
    },
  };
}
