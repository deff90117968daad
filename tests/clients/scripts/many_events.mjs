// Segment's Node client sends many events, in batches, with its own retries.
import process from 'node:process'
import { Analytics } from '@segment/analytics-node'

const { EVENTS, SITE_URL, SITE_KEY } = process.env
const failed = []
const client = new Analytics({
  writeKey: SITE_KEY,
  host: SITE_URL,
  flushAt: 10,
  maxRetries: 12,
})
client.on('error', (error) => failed.push(String(error.reason?.message ?? error)))
for (let n = 0; n < Number(EVENTS); n += 1) {
  const userId = `user-${n % 5}`
  client.track({ userId, event: 'Seen', properties: { n }, messageId: `m-${n}` })
}
await client.closeAndFlush({ timeout: 80_000 })
console.log(JSON.stringify(failed))
process.exit(0)
