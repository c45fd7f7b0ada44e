import type { Informers } from '../../../../libs/kind/client.ts';
import type { Live } from '../../../../libs/kind/object.ts';
import { pods } from '../../../resources.ts';
import type { Pod } from '../../../types/core/v1.generated.ts';

const nodeOf = (pod: Live<Pod>): readonly string[] => (pod.spec?.nodeName ? [pod.spec.nodeName] : []);

/** The pods that are bound to a node, finished ones too. */
export function podsOnNode(informers: Informers, nodeName: string): readonly Live<Pod>[] {
  const informer = informers.informer(pods);
  informer.index('node', nodeOf);
  return informer.by('node', nodeName);
}
