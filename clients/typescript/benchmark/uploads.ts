/** Uploads a file some times, and prints the seconds that each took: ADDRESS FILE TIMES. */

import { BatchgateClient } from "../src/index.js";

const [address, path, times] = process.argv.slice(2) as [string, string, string];
const client = new BatchgateClient({ address });
const seconds: number[] = [];
for (let n = 0; n < Number(times); n += 1) {
  const began = performance.now();
  await client.uploadFile(path, { purpose: "user_data" });
  seconds.push((performance.now() - began) / 1000);
}
console.log(JSON.stringify(seconds));
process.exit(0);
