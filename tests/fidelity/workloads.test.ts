import assert from 'node:assert/strict';
import { test } from 'node:test';
import { needs } from '../needs.ts';
import { playRecorded } from './play.ts';

/** Pods, what makes them, and the rest of the core group that is not about networks or storage. */
const KINDS =
  '(pods?(-[\\w]+)?|podtemplates|replicationcontrollers|replicasets|deployments|statefulsets|daemonsets|' +
  'controllerrevisions|jobs?(-[\\w]+)?|cronjobs|secrets|serviceaccounts|namespaces|nodes|limitranges|resourcequotas|' +
  'quota-status|events|newevents|endpoints|hpas1?|poddisruptionbudgets|ephemeralcontainers|resize|binding|eviction|' +
  'quantities|times|int-or-string)';

/** How many of the recorded cases are answered as upstream does, at least. Only ever raised. */
const LEAST: Readonly<Record<string, number>> = { defaults: 310, update: 131, validation: 612 };

for (const [area, least] of Object.entries(LEAST)) {
  test(`${area} of pods, workloads and core kinds are upstream’s`, { skip: needs('reference') }, async () => {
    const verdicts = await playRecorded([area], { filter: `^${area}/${KINDS}/` });
    const others = verdicts.filter(({ verdict }) => verdict !== 'same').map(({ id }) => id);
    const same = verdicts.length - others.length;
    assert.ok(same >= least, `${same} of ${verdicts.length} are the same, ${least} were; not: ${others.join('\n')}`);
  });
}
