// Uploads and downloads of a gibibyte: too long for every run of the tests.
import { testLargeBodies } from "../e2e/support/large-bodies.js";

testLargeBodies(1024 * 1024 * 1024);
