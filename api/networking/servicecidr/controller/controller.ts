import { type Reconciler, watching } from '../../../../libs/kind/reconciler.ts';
import { cidrContains, cidrsOverlap } from '../../../../libs/machinery/cidr.ts';
import { formatTime } from '../../../../libs/machinery/time.ts';
import { ipAddresses, serviceCIDRs } from '../../../resources.ts';
import { type Action, addressOf, networksOf, type Observed, plan, SERVICE_CIDR_PROTECTION } from './plan.ts';

/** Makes ranges for Services' addresses ready, and keeps those from going of which addresses are in use. */
export const serviceCidrController: Reconciler<Observed, Action> = {
  name: 'service-cidr-controller',
  watches: [
    // One that comes or goes decides about those that share addresses with it.
    watching(serviceCIDRs, (range, { informers }) => {
      const own = networksOf(range);
      const sharing = informers
        .informer(serviceCIDRs)
        .list()
        .filter((other) => networksOf(other).some((network) => own.some((one) => cidrsOverlap(one, network))));
      return [range.metadata.name, ...sharing.map(({ metadata }) => metadata.name)];
    }),
    watching(ipAddresses, (address, { informers }) => {
      const ip = addressOf(address);
      if (!ip) return [];
      return informers
        .informer(serviceCIDRs)
        .list()
        .filter((range) => range.metadata.deletionTimestamp && networksOf(range).some((one) => cidrContains(one, ip)))
        .map(({ metadata }) => metadata.name);
    }),
  ],
  observe({ informers }, name) {
    const ranges = informers.informer(serviceCIDRs);
    const range = ranges.get(name);
    if (!range) return undefined;
    const addresses = range.metadata.deletionTimestamp ? informers.informer(ipAddresses).list() : [];
    return { range, others: ranges.list().filter(({ metadata }) => metadata.name !== name), addresses };
  },
  plan,
  async apply({ client, clock }, action, { range }) {
    const { name } = range.metadata;
    const ranges = client.resource(serviceCIDRs);
    if (action.type === 'ready') {
      const { metadata } = await ranges.subresource('status').patch(
        name,
        {
          status: {
            conditions: [{ type: 'Ready', ...action.condition, lastTransitionTime: formatTime(clock.now()) }],
          },
        },
        { type: 'strategic' },
      );
      return [{ ref: serviceCIDRs, resourceVersion: metadata.resourceVersion }];
    }
    const key = action.type === 'protect' ? 'finalizers' : '$deleteFromPrimitiveList/finalizers';
    const patch = { metadata: { [key]: [SERVICE_CIDR_PROTECTION] } };
    const { metadata } = await ranges.patch(name, patch, { type: 'strategic' });
    return [{ ref: serviceCIDRs, resourceVersion: metadata.resourceVersion }];
  },
};
