// Says in one sentence when this Node is too old for the project; run before the first install.
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`Linchpin needs Node 20.19 or newer; this is ${process.versions.node}.`);
  process.exit(1);
}
