// Reads a list of objects (JSON) on standard input and prints what is wrong with each: `kind/name: what`.
// First argument: the folder with node_modules.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const packages = {
  'monitoring.coreos.com/v1': 'prometheus-operator/monitoring.coreos.com/v1',
  'gateway.networking.k8s.io/v1': 'gateway-api/gateway.networking.k8s.io/v1',
};

for (const object of JSON.parse(readFileSync(0, 'utf8'))) {
  const name = `${object.kind}/${object.metadata?.name}`;
  try {
    const path = join(process.argv[2], 'node_modules/@kubernetes-models', packages[object.apiVersion], `${object.kind}.js`);
    const model = await import(pathToFileURL(path));
    new model[object.kind](object).validate();
  } catch (error) {
    console.log(`${name}: ${error.message}`);
  }
}
