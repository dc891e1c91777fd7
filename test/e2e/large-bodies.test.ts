// test/tools/ has the same with a gibibyte.
import { testLargeBodies } from "./support/large-bodies.js";

testLargeBodies(32 * 1024 * 1024);
