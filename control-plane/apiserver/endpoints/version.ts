import { methodNotAllowed, noRepresentation } from '../../../libs/machinery/errors.ts';
import type { ComponentFacts } from '../../../libs/metrics/component.ts';
import { header } from '../headers.ts';
import { CONTENT_TYPES, isKnownMedia } from '../negotiation.ts';
import { respond, wholeBody } from '../responses.ts';
import type { Endpoint } from '../server.ts';

/** What `kubectl version` shows of the server. */
export interface VersionInfo {
  readonly major: string;
  readonly minor: string;
  readonly gitVersion: string;
  readonly gitCommit: string;
  readonly gitTreeState: string;
  readonly buildDate: string;
  readonly goVersion: string;
  readonly compiler: string;
  readonly platform: string;
}

/** The Kubernetes version whose API is served; `v1.36.2+tutti` tells clients what they may expect and logs who answers. */
export function versionInfo(platform: string, runtime: string): VersionInfo {
  return {
    major: '1',
    minor: '36',
    gitVersion: 'v1.36.2+tutti',
    gitCommit: '',
    gitTreeState: 'clean',
    buildDate: '1970-01-01T00:00:00Z',
    goVersion: runtime,
    compiler: 'node',
    platform,
  };
}

/** The same as labels of a metric. */
export const buildLabels = (info: VersionInfo): ComponentFacts['build'] => ({
  major: info.major,
  minor: info.minor,
  git_version: info.gitVersion,
  git_commit: info.gitCommit,
  git_tree_state: info.gitTreeState,
  build_date: info.buildDate,
  go_version: info.goVersion,
  compiler: info.compiler,
  platform: info.platform,
});

export function versionEndpoint(info: VersionInfo): Endpoint {
  return {
    handle(_server, _ctx, request, form) {
      if (request.path !== '/version' && request.path !== '/version/') return undefined;
      if (request.method !== 'GET') throw methodNotAllowed();
      if (!isKnownMedia(header(request, 'accept'), [CONTENT_TYPES.json])) throw noRepresentation([CONTENT_TYPES.json]);
      return respond(200, wholeBody({ value: info }, { ...form, media: 'json', pretty: true }));
    },
  };
}
