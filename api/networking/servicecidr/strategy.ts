import type { StatusSubresource } from '../../../libs/kind/kind.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { changeStatusAlone, dropStatus, keepStatus } from '../../../libs/kind/status.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import { parseCidrSloppy } from '../../../libs/machinery/cidr.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { validateCanonicalCidr } from '../../meta/addresses.ts';
import { validateImmutable } from '../../meta/immutable.ts';
import type { ServiceCIDR } from '../../types/networking/v1.generated.ts';

export const strategy: Strategy<ServiceCIDR> = {
  resetFields: ['status'],
  prepareForCreate: (_ctx, draft) => dropStatus(draft),
  prepareForUpdate: (_ctx, draft, old) => keepStatus(draft, old),
  validate: validateCidrs,
  validateUpdate: validateCidrsUpdate,
};

export const statusStrategy: StatusSubresource<ServiceCIDR>['strategy'] = {
  resetFields: ['spec'],
  prepareForUpdate: (_ctx, draft, old) => changeStatusAlone(draft, old),
};

/** One network, or one of each family. */
function validateCidrs({ spec }: DeepReadonly<ServiceCIDR>): field.ErrorList {
  const at = field.path('spec', 'cidrs');
  const cidrs = spec?.cidrs ?? [];
  if (cidrs.length === 0) return [field.required(at, 'at least one CIDR required')];
  const errors: field.ErrorList = [];
  if (cidrs.length > 2) errors.push(field.invalid(at, cidrs, 'may only hold up to 2 values'));
  const versions = cidrs.map((cidr) => parseCidrSloppy(cidr)?.network.version);
  if (cidrs.length === 2 && versions[0] === versions[1] && versions[0] !== undefined) {
    const why = 'may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64';
    errors.push(field.invalid(at, cidrs, why));
  }
  cidrs.forEach((cidr, i) => errors.push(...validateCanonicalCidr(cidr, at.index(i))));
  return errors;
}

/** What is there stays; a range of the other family may be added. */
function validateCidrsUpdate(draft: DeepReadonly<ServiceCIDR>, old: DeepReadonly<ServiceCIDR>): field.ErrorList {
  const at = field.path('spec', 'cidrs');
  const [cidrs, was] = [draft.spec?.cidrs ?? [], old.spec?.cidrs ?? []];
  if (cidrs.length < was.length) return validateImmutable(cidrs, was, at);
  const errors = was.flatMap((cidr, i) => validateImmutable(cidrs[i], cidr, at.index(i)));
  return errors.length === 0 && cidrs.length > was.length ? validateCidrs(draft) : errors;
}
