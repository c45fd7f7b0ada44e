import { selectorOfLabels } from '../../../../libs/machinery/labels.ts';
import { replicaKeeper } from '../../../apps/replicaset/controller/replica-keeper.ts';
import { replicationControllers } from '../../../resources.ts';

/** Keeps the pods of ReplicationControllers, as a ReplicaSet's are kept. */
export const replicationControllerController = replicaKeeper({
  name: 'replicationcontroller',
  ref: replicationControllers,
  countsTerminating: false,
  selector: ({ spec }) => selectorOfLabels(spec?.selector as Record<string, string> | undefined),
  want: ({ spec, status }) => ({
    replicas: spec?.replicas ?? 1,
    minReadySeconds: spec?.minReadySeconds ?? 0,
    template: spec?.template ?? { spec: { containers: [] } },
    status: status ?? { replicas: 0 },
  }),
  related: (_, own) => own,
});
