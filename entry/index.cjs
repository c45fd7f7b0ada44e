// `require('tutti')`. In a clone this is the source itself, which Node runs directly; in the published package, where
// there is none, the bundle. Which of the two is decided by what lies here, so that neither needs a build step or a
// package.json rewritten on the way.

const { existsSync } = require('node:fs');
const { join } = require('node:path');
const { complaint } = require('./version.cjs');

if (complaint !== undefined) throw new Error(complaint);
const source = join(__dirname, '../index.ts');
module.exports = existsSync(source) ? require(source) : require('../dist/index.cjs');
