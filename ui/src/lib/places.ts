import type { Code } from './bindings/Code';
import type { MoneyPlace } from './bindings/MoneyPlace';

/**
 * Where money can be when a failure has this code, for the catalogue in docs/failures.md. On the screen the journal
 * decides, not the code: a view always carries the place itself.
 */
const nothing: readonly MoneyPlace[] = ['none'];
const safe: readonly MoneyPlace[] = ['account'];
/** At the card: before the bank was asked, or once the money is set aside. */
const card: readonly MoneyPlace[] = ['account', 'in-transit'];
/** On the way to the bank: whether it booked is not known, or it need only hear that the card has the money. */
const way: readonly MoneyPlace[] = ['account', 'unsure', 'on-card-unreported'];
/** Before a message was sent: nothing new moves, and what waits goes on waiting. */
const waits: readonly MoneyPlace[] = ['account', 'in-transit', 'on-card-unreported'];

export const PLACES: Record<Code, readonly MoneyPlace[]> = {
  'service-down': card, 'service-hung': card, 'reader-none': card, 'nfc-off': card, 'nfc-none': card, 'reader-busy': card, 'reader-denied': card, 'card-none': card, 'card-lost': card,
  'card-timeout': card, 'contact-poor': safe, 'card-not-supported': safe, 'card-read-only': safe, 'card-app-blocked': card, 'card-blocked': card,
  'card-expired': safe, 'card-not-active': safe, 'card-mac-bad': card, 'card-key-unknown': card, 'card-reply-bad': card, 'card-unknown-status': card,
  'card-full': safe, 'card-counter-exhausted': safe, 'card-refused': ['in-transit'], 'card-unknown': safe, 'card-other': card,
  'phone-bad': safe, 'code-bad': safe, 'code-wrong': safe, 'code-expired': safe, 'code-locked': safe, 'code-unknown': safe,
  'password-short': safe, 'password-wrong': safe, 'password-locked': safe, 'amount-bad': safe, 'amount-low': safe,
  'amount-high': safe, 'balance-limit': safe, 'funds-short': safe,
  'load-open': ['in-transit'], 'in-doubt': ['in-transit'], manual: ['in-transit'], refunded: safe, 'written-off': ['written-off'],
  voided: safe, 'nothing-pending': nothing, 'counter-seen': ['unsure', 'in-transit'], 'tac-bad': ['in-transit'], 'no-proof': ['in-transit'],
  'sms-proof-bad': safe,
  'list-unreadable': safe, 'queue-rows': safe, 'queue-unknown': safe, 'queue-unserved': safe, 'queue-closed': safe, 'queue-card': nothing, 'queue-unlisted': nothing,
  'queue-open': nothing,
  offline: waits, 'bank-timeout': way, 'bank-silent': ['unsure'], 'bank-untrusted': waits, 'certificate-expired': waits,
  'certificate-foreign': waits, 'certificate-name': waits, 'certificate-swapped': waits, 'network-login': waits, 'bank-busy': waits,
  'bank-error': way, 'too-many': waits, 'clock-wrong': waits, 'network-none': nothing, 'name-unknown': nothing, 'proxy-away': nothing,
  'proxy-refused': nothing, 'connection-cut': nothing, 'server-stopped': nothing, 'server-unreached': nothing, 'package-none': nothing,
  'keystore-missing': nothing, 'keystore-locked': nothing, 'keystore-denied': nothing, 'keystore-emptied': ['none', 'in-transit'],
  'keystore-broken': nothing, 'unlock-refused': nothing, 'unlock-unable': nothing, 'enrol-failed': nothing,
  'terminal-unknown': waits, 'terminal-revoked': waits, 'key-missing': waits, 'suite-refused': waits, 'envelope-refused': waits,
  'industry-unknown': safe, 'package-bad': safe, 'package-old': safe, 'package-unsigned': waits,
  'package-altered': waits, 'package-signer': waits, 'package-older': waits, 'package-early': waits, 'package-field': waits,
  'package-oversized': waits, 'package-command': waits, 'package-endless': waits, 'package-bomb': waits,
  'message-bad': way, 'relay-too-long': card, deadline: card,
  'disk-full': waits, 'disk-broken': waits, 'journal-bad': ['none', 'in-transit'], 'profile-bad': nothing, 'command-bad': nothing, 'link-bad': nothing, 'link-busy': nothing, 'update-failed': nothing,
  'not-now': nothing, cancelled: safe, internal: way,
};
