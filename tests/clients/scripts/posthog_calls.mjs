// PostHog's Node client: each kind of call once, then one with a wrong key.
import process from 'node:process'
import { PostHog } from 'posthog-node'

const { SITE_URL, SITE_KEY } = process.env
const at = (minute) => new Date(Date.UTC(2025, 2, 4, 12, minute))
const number = (n) => `00000000-0000-0000-0000-${String(n).padStart(12, '0')}`
const failed = []

function makeClient(key) {
  const client = new PostHog(key, { host: SITE_URL, fetchRetryCount: 0 })
  client.on('error', (error) => failed.push([error.name, error.status ?? error.message]))
  return client
}

const client = makeClient(SITE_KEY)
client.capture({
  distinctId: 'browser-1',
  event: '$pageview',
  properties: {
    $current_url: 'https://shop.example/pricing',
    $process_person_profile: false,
  },
  timestamp: at(1),
  uuid: number(1),
})
client.identify({
  distinctId: 'ada',
  properties: {
    $set: { email: 'ada@example.com', plan: 'pro' },
    $set_once: { plan: 'free', came_by: 'advert' },
  },
})
client.capture({
  distinctId: 'ada',
  event: 'Order Completed',
  properties: { order_id: 'A-1', revenue: 42.5, $set: { visits: 3 } },
  timestamp: at(4),
  uuid: number(4),
})
client.groupIdentify({
  groupType: 'company',
  groupKey: 'acme',
  properties: { seats: 5 },
  distinctId: 'ada',
})
client.alias({ distinctId: 'ada', alias: 'browser-1' })
await client.shutdown()
const heard = failed.splice(0)

const stranger = makeClient('wrong')
stranger.capture({ distinctId: 'ada', event: 'Seen' })
await stranger.shutdown()
console.log(JSON.stringify({ failed: heard, refused: failed }))
process.exit(0)
