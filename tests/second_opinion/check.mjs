// What npm `jose` says of the tokens in FOLDER: one verdict a line, in the order of tokens.jsonl.
//
//     node check.mjs FOLDER JOSE      (JOSE: the folder of the installed package)

import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder, library] = process.argv.slice(2).map((path) => resolve(path));
const manifest = JSON.parse(readFileSync(join(library, 'package.json'), 'utf8'));
const entry = manifest.exports['.'];
const { createLocalJWKSet, jwtVerify } = await import(pathToFileURL(join(library, entry.import ?? entry.default)));

const read = (name) => readFileSync(join(folder, name), 'utf8');
const rules = JSON.parse(read('rules.json'));
const keys = createLocalJWKSet(JSON.parse(read('jwks.json')));
const options = {
  issuer: rules.issuer,
  audience: rules.audiences,
  algorithms: rules.algorithms,
  typ: rules.typ,
  clockTolerance: rules.tolerance,
  currentDate: new Date(rules.now * 1000),
  requiredClaims: rules.required,
};

const verdicts = [];
for (const line of read('tokens.jsonl').split('\n').filter(Boolean)) {
  const { id, token } = JSON.parse(line);
  let reason = '';
  try {
    await jwtVerify(token, keys, options);
  } catch (error) {
    reason = `${error.code ?? error.name}: ${error.message}`;
  }
  verdicts.push(JSON.stringify({ id, reason }));
}
writeFileSync(join(folder, 'verdicts-jose.jsonl'), `${verdicts.join('\n')}\n`);
console.log(`jose ${manifest.version} judged ${verdicts.length} tokens`);
