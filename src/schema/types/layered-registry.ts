// Several registries as one: of two types of a name the first counts.
import type {
  DescEnum,
  DescExtension,
  DescFile,
  DescMessage,
  DescService,
  FileRegistry,
} from "@bufbuild/protobuf";

type Type = DescMessage | DescEnum | DescExtension | DescService;

export class LayeredRegistry<Part extends FileRegistry = FileRegistry> implements FileRegistry {
  readonly kind = "registry";
  readonly layers: readonly Part[];

  constructor(layers: readonly Part[]) {
    this.layers = layers;
  }

  protected find<T>(look: (layer: Part) => T | undefined): T | undefined {
    for (const layer of this.layers) {
      const found = look(layer);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  get(typeName: string): Type | undefined {
    return this.find((layer) => layer.get(typeName));
  }

  getMessage(typeName: string): DescMessage | undefined {
    return this.find((layer) => layer.getMessage(typeName));
  }

  getEnum(typeName: string): DescEnum | undefined {
    return this.find((layer) => layer.getEnum(typeName));
  }

  getExtension(typeName: string): DescExtension | undefined {
    return this.find((layer) => layer.getExtension(typeName));
  }

  getExtensionFor(extendee: DescMessage, no: number): DescExtension | undefined {
    return this.find((layer) => layer.getExtensionFor(extendee, no));
  }

  getService(typeName: string): DescService | undefined {
    return this.find((layer) => layer.getService(typeName));
  }

  *[Symbol.iterator](): IterableIterator<Type> {
    const seen = new Set<string>();
    for (const layer of this.layers)
      for (const type of layer) {
        if (!seen.has(type.typeName)) yield type;
        seen.add(type.typeName);
      }
  }

  get files(): Iterable<DescFile> {
    const files = new Map<string, DescFile>();
    for (const layer of this.layers)
      for (const file of layer.files) if (!files.has(file.name)) files.set(file.name, file);
    return files.values();
  }

  getFile(fileName: string): DescFile | undefined {
    return this.find((layer) => layer.getFile(fileName));
  }
}
