import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { qualifiedName } from '../../../libs/machinery/names.ts';
import { json } from '../../../libs/machinery/quote.ts';
import { sameValue } from '../../../libs/machinery/same-value.ts';
import { IMMUTABLE, NOT_NEGATIVE } from '../../meta/immutable.ts';
import type { CSINode, CSINodeDriver } from '../../types/storage/v1.generated.ts';
import { validateCSIDriverName } from '../parameters.ts';

const NODE_ID_BYTES_MAX = 256;

export const strategy: Strategy<CSINode> = {
  validate: validateCSINode,
  validateUpdate: (node, old) => [...validateCSINode(node), ...validateDriversKept(node, old)],
};

function validateCSINode({ spec }: DeepReadonly<CSINode>): field.ErrorList {
  const names = new Set<string>();
  return (spec?.drivers ?? []).flatMap((driver, i) =>
    validateDriver(driver, names, field.path('spec', 'drivers').index(i)),
  );
}

function validateDriver(driver: DeepReadonly<CSINodeDriver>, names: Set<string>, at: field.Path): field.ErrorList {
  const { name = '', nodeID = '', topologyKeys, allocatable } = driver;
  const errors = validateCSIDriverName(name, at.child('name'));
  if (nodeID === '') errors.push(field.required(at.child('nodeID')));
  else if (new TextEncoder().encode(nodeID).length > NODE_ID_BYTES_MAX) {
    errors.push(field.invalid(at.child('nodeID'), nodeID, `must be ${NODE_ID_BYTES_MAX} characters or less`));
  }
  if (allocatable?.count !== undefined && allocatable.count < 0) {
    errors.push(field.invalid(at.child('allocatable', 'count'), allocatable.count, NOT_NEGATIVE));
  }
  if (names.has(name)) errors.push(field.duplicate(at.child('name'), name));
  names.add(name);
  const keys = new Set<string>();
  for (const key of topologyKeys ?? []) {
    if (key === '') errors.push(field.required(at));
    if (keys.has(key)) errors.push(field.duplicate(at, key));
    keys.add(key);
    for (const problem of qualifiedName(key)) errors.push(field.invalid(at, key, problem));
  }
  return errors;
}

/** A driver may come and go, but not change, save for how many volumes it can attach. */
function validateDriversKept(node: DeepReadonly<CSINode>, old: DeepReadonly<CSINode>): field.ErrorList {
  const identity = ({ name, nodeID, topologyKeys }: DeepReadonly<CSINodeDriver>) => ({ name, nodeID, topologyKeys });
  return (node.spec?.drivers ?? []).flatMap((driver) => {
    const was = old.spec?.drivers?.find(({ name }) => name === driver.name);
    if (!was || sameValue(identity(was), identity(driver))) return [];
    const { name, nodeID, topologyKeys = null, allocatable } = driver;
    const shown = {
      Name: name,
      NodeID: nodeID,
      TopologyKeys: topologyKeys,
      Allocatable: allocatable ? { Count: allocatable.count ?? null } : null,
    };
    return [field.invalid('spec.drivers', field.verbatim(json(shown)), IMMUTABLE)];
  });
}
