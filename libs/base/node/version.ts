import process from 'node:process';

/** The major version of Node that runs this: on another, the same seed may be another run. */
export const nodeMajor = (): number => Number(process.versions.node.split('.')[0]);
