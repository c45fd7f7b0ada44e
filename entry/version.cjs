// Why a Node that is too old will not do, in one sentence, instead of the syntax error that it would stumble on. Written so
// that any Node since 12 can run it.

const NODE_MAJOR_MIN = 24;

/** Undefined where this Node will do. */
exports.complaint =
  Number(process.versions.node.split('.')[0]) >= NODE_MAJOR_MIN
    ? undefined
    : `tutti needs Node ${NODE_MAJOR_MIN} or later, and this is Node ${process.versions.node} (https://nodejs.org).`;
