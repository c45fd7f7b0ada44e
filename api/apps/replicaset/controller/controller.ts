import type { ApiObject, Live } from '../../../../libs/kind/object.ts';
import { labelSelectorOf } from '../../../../libs/machinery/labels.ts';
import { controllerOf } from '../../../../libs/machinery/meta.ts';
import { byController, controlledBy } from '../../../core/pod/controller/ownership.ts';
import { isFinished } from '../../../core/pod/controller/pod-state.ts';
import { pods, replicaSets } from '../../../resources.ts';
import { replicaKeeper } from './replica-keeper.ts';

/** Keeps the pods of ReplicaSets. */
export const replicaSetController = replicaKeeper({
  name: 'replicaset',
  ref: replicaSets,
  countsTerminating: true,
  selector: (set) => labelSelectorOf(set.spec?.selector as never),
  want: ({ spec, status }) => ({
    replicas: spec?.replicas ?? 1,
    minReadySeconds: spec?.minReadySeconds ?? 0,
    template: spec?.template ?? { spec: { containers: [] } },
    status: status ?? { replicas: 0 },
  }),
  related(set, own, { informers }) {
    const uid = controllerOf(set as ApiObject)?.uid;
    if (uid === undefined) return own;
    const sisters = byController(informers, replicaSets).by('controller', uid);
    return sisters.flatMap((sister) =>
      controlledBy(informers, pods, sister as Live<ApiObject>).filter((pod) => !isFinished(pod)),
    );
  },
});
