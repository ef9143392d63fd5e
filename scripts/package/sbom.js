// What is in a package, for programs: an SBOM in CycloneDX's form, by its project's own library.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { root, version } from '../bundle.js';
import { readPackage } from '../third-party.js';

/** Installed by then, and not before: the packaging's own tools. */
const library = () => createRequire(join(root, 'packaging', 'package.json'))('@cyclonedx/cyclonedx-library');

/** The notices of Debian's gcc, as a CycloneDX expression. */
const GCC_LICENCE = 'GPL-3.0-or-later WITH GCC-exception-3.1';

/** Writes the SBOM of a tree: itself, and what of others is in it. The same tree has the same. */
export function makeSbom(file, { folder, libraries, packages, node }, architecture, seconds) {
  const { Models, Enums, Serialize, Spec } = library();
  const { ComponentType } = Enums;
  const licensed = (id) =>
    new Models.LicenseRepository([
      id.includes(' ') ? new Models.LicenseExpression(id) : new Models.SpdxLicense(id),
    ]);
  const component = (type, name, of, details) =>
    new Models.Component(type, name, { version: of, bomRef: details.purl, ...details });
  const own = component(ComponentType.Application, 'pvusb', version, {
    purl: `pkg:generic/pvusb@${version}?arch=${architecture.name}`,
    licenses: licensed('LGPL-2.1-only'),
    hashes: new Models.HashDictionary([
      [Enums.HashAlgorithm['SHA-256'], sumOf(join(folder, 'usr/lib/pvusb/pvusb'))],
    ]),
  });
  const parts = [
    ...[...packages, 'node_modules/koffi'].map((path) => {
      const { name, version: of, license } = readPackage(path);
      return component(ComponentType.Library, name, of, {
        purl: `pkg:npm/${name}@${of}`,
        licenses: licensed(license),
      });
    }),
    component(ComponentType.Platform, 'node', node.replace(/^v/, ''), {
      purl: `pkg:generic/node@${node.replace(/^v/, '')}`,
      licenses: licensed('MIT'),
    }),
    ...libraries.packages.map(({ name, version: of }) =>
      component(ComponentType.Library, name, of, {
        purl: `pkg:deb/debian/${name}@${encodeURIComponent(of)}?arch=${architecture.name}&distro=bookworm`,
        licenses: licensed(GCC_LICENCE),
      }),
    ),
  ];
  for (const part of parts) own.dependencies.add(part.bomRef);
  const timestamp = new Date(seconds * 1000);
  const bom = new Models.Bom({
    version: 1,
    metadata: new Models.Metadata({ timestamp, component: own }),
    components: new Models.ComponentRepository(parts),
  });
  const serializer = new Serialize.JsonSerializer(new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6));
  const text = () => serializer.serialize(bom, { sortLists: true, space: 2 });
  bom.serialNumber = `urn:uuid:${uuidOf(text())}`;
  writeFileSync(file, `${text()}\n`);
}

function sumOf(file) {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

/** A uuid that is made of a text (RFC 9562, version 8). */
function uuidOf(text) {
  const hex = createHash('sha256').update(text).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
