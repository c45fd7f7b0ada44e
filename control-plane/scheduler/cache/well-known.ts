/** Labels of nodes that the scheduler knows by name. */
export const NAMES_HOSTNAME = 'kubernetes.io/hostname';
export const NAMES_ZONE = 'topology.kubernetes.io/zone';
