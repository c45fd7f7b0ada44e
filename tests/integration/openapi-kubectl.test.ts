// An unmodified kubectl reads discovery, OpenAPI v3 and the v2 document in protobuf from the documents we make.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { builtinSchema, builtinTypeOf } from '../../api/schema/builtin.ts';
import { builtinGroups } from '../../api/schema/resources.ts';
import { aggregatedDiscovery } from '../../libs/machinery/discovery/discovery.ts';
import { openApiV2 } from '../../libs/machinery/openapi/document-v2.ts';
import { openApiV3, openApiV3Index } from '../../libs/machinery/openapi/document-v3.ts';
import { openApiV2Protobuf } from '../../libs/machinery/openapi/protobuf-v2.ts';
import { needs, testTool } from '../needs.ts';

const skip = needs('kubectl');
const groups = builtinGroups();
const options = {
  version: 'v1.36.0',
  describe: (name: string, field?: string): string => `about ${field ?? name.split('.').at(-1)}`,
};
const parts = openApiV3(builtinSchema(), builtinTypeOf, groups, options);

function answer(request: IncomingMessage, response: ServerResponse): void {
  const path = new URL(request.url ?? '/', 'http://localhost').pathname;
  const send = (body: object | Uint8Array, type = 'application/json'): void => {
    response.setHeader('Content-Type', type);
    response.end(body instanceof Uint8Array ? body : JSON.stringify(body));
  };
  const aggregated = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
  if (path === '/api') return send(aggregatedDiscovery(groups.slice(0, 1)), aggregated);
  if (path === '/apis') return send(aggregatedDiscovery(groups.slice(1)), aggregated);
  if (path === '/version') return send({ major: '1', minor: '36', gitVersion: 'v1.36.0' });
  if (path === '/openapi/v2') {
    const document = openApiV2Protobuf(openApiV2(builtinSchema(), builtinTypeOf, groups, options));
    return send(document, 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf');
  }
  if (path === '/openapi/v3') return send(openApiV3Index(parts, ({ place }) => place));
  const part = parts.find(({ place }) => path === `/openapi/v3/${place}`);
  if (part) return send(part.document());
  response.statusCode = 404;
  response.end();
}

describe('kubectl', { skip }, () => {
  let server: Server;
  let home: string;
  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'tutti-kubectl-'));
    server = createServer(answer);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  after(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await rm(home, { recursive: true });
  });
  const kubectl = async (...args: string[]): Promise<string> => {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const env = { ...process.env, HOME: home, KUBECONFIG: join(home, 'none') };
    const run = promisify(execFile);
    return (await run(testTool('kubectl'), ['--server', url, '--cache-dir', join(home, 'cache'), ...args], { env }))
      .stdout;
  };

  test('lists the resources', async () => {
    const lines = (await kubectl('api-resources', '--no-headers')).trim().split('\n');
    const expected = groups.flatMap(({ versions }) => versions[0]?.resources ?? []);
    assert.equal(lines.length, expected.length);
    assert.match(lines.join('\n'), /^deployments +deploy +apps\/v1 +true +Deployment$/m);
  });

  test('explains a field from OpenAPI v3', async () => {
    const text = await kubectl('explain', 'deployment.spec.strategy');
    assert.match(text, /FIELD: strategy <DeploymentStrategy>/);
    assert.match(text, /rollingUpdate\t<RollingUpdateDeployment>\n +about rollingUpdate/);
  });

  test('explains a kind from the v2 document in protobuf', async () => {
    const text = await kubectl('explain', 'pods.spec.containers.resources', '--output=plaintext-openapiv2');
    assert.match(text, /limits\t<map\[string\]string>\n +about limits/);
    assert.match(text, /claims\t<\[\]Object>/);
  });
});
