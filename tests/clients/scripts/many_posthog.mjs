// PostHog's Node client sends many events, in batches, with its own retries.
import process from 'node:process'
import { PostHog } from 'posthog-node'

const { EVENTS, SITE_URL, SITE_KEY } = process.env
const failed = []
const client = new PostHog(SITE_KEY, {
  host: SITE_URL,
  flushAt: 10,
  fetchRetryCount: 5,
  fetchRetryDelay: 50,
  disableCompression: true,
})
client.on('error', (error) => failed.push(String(error)))
for (let n = 0; n < Number(EVENTS); n += 1) {
  const uuid = `00000000-0000-0000-0000-${(n + 1).toString(16).padStart(12, '0')}`
  client.capture({ distinctId: `user-${n % 5}`, event: 'Seen', properties: { n }, uuid })
}
await client.shutdown(80_000)
console.log(JSON.stringify(failed))
process.exit(0)
