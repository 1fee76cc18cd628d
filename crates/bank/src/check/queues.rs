//! What must be true of queues. Each query names the queue, and the load where one is at fault.

pub(super) const RULES: [(&str, &str); 8] = [
    (
        "I15",
        "SELECT 'queue ' || queue.id FROM queue
         LEFT JOIN queue_code AS code ON code.bank = queue.bank AND code.queue = queue.id
         WHERE queue.bank = $1 AND code.spent_ms IS NULL",
    ),
    (
        "I21",
        "SELECT 'queue ' || id || ' does not hold what waits' FROM queue WHERE bank = $1 AND
         coalesce((SELECT balance FROM account
             WHERE account.bank = queue.bank AND account.name = 'queue:' || queue.id), 0) <>
         (SELECT coalesce(sum(amount), 0) FROM queue_item
          WHERE queue_item.bank = queue.bank AND queue_item.queue = queue.id AND state = 'waiting')",
    ),
    (
        "I21",
        "SELECT 'queue ' || id || ' is closed, and something waits' FROM queue
         WHERE bank = $1 AND closed_ms IS NOT NULL AND EXISTS (SELECT 1 FROM queue_item
             WHERE queue_item.bank = queue.bank AND queue_item.queue = queue.id AND state = 'waiting')",
    ),
    (
        "I21",
        "SELECT 'queue ' || id || ' is not the sum of its items' FROM queue WHERE bank = $1 AND (
         total <> (SELECT coalesce(sum(amount), 0) FROM queue_item
             WHERE queue_item.bank = queue.bank AND queue_item.queue = queue.id)
         OR cards <> (SELECT count(*) FROM queue_item
             WHERE queue_item.bank = queue.bank AND queue_item.queue = queue.id))",
    ),
    (
        "I21",
        "SELECT 'queue ' || id || ' was not paid once' FROM queue WHERE bank = $1 AND total <>
         (SELECT coalesce(sum(entry.amount), 0) FROM entry
          JOIN transfer ON transfer.bank = entry.bank AND transfer.id = entry.transfer
          WHERE entry.bank = queue.bank AND entry.account = 'queue:' || queue.id
          AND transfer.load IS NULL AND entry.amount > 0)",
    ),
    (
        "I21",
        "SELECT name || ' is of no queue' FROM account WHERE bank = $1 AND name LIKE 'queue:%'
         AND NOT EXISTS (SELECT 1 FROM queue
             WHERE queue.bank = account.bank AND account.name = 'queue:' || queue.id)",
    ),
    // An item's money is in one load at most, and in the place that its state says.
    (
        "I22",
        "SELECT 'queue ' || item.queue || ' item ' || CAST(item.place AS TEXT) || ' ' ||
             coalesce(held.reference, 'no load')
         FROM queue_item AS item LEFT JOIN load AS held ON held.bank = item.bank AND held.id = item.load
         WHERE item.bank = $1 AND (
             CASE WHEN item.state = 'open' THEN coalesce(held.phase IN ('issued', 'in-doubt', 'manual'), FALSE)
                  WHEN item.state = 'loaded' THEN coalesce(held.phase = 'confirmed', FALSE)
                  WHEN item.state = 'written-off' THEN coalesce(held.phase = 'written-off', FALSE)
                  WHEN item.state = 'waiting' THEN item.load IS NULL
                  ELSE coalesce(held.phase = 'reversed', TRUE) END = FALSE
             OR (SELECT count(*) FROM load WHERE load.bank = item.bank AND load.queue = item.queue
                 AND substr(load.id, 1, 15) = item.stem
                 AND load.phase IN ('issued', 'in-doubt', 'manual', 'confirmed', 'written-off')) <>
                CASE WHEN item.state IN ('open', 'loaded', 'written-off') THEN 1 ELSE 0 END)",
    ),
    (
        "I22",
        "SELECT load.reference || ' is not what queue ' || load.queue || ' paid for' FROM load
         LEFT JOIN queue_item AS item ON item.bank = load.bank AND item.queue = load.queue
             AND item.stem = substr(load.id, 1, 15)
         LEFT JOIN queue ON queue.bank = load.bank AND queue.id = load.queue
         WHERE load.bank = $1 AND load.queue IS NOT NULL AND (item.place IS NULL
             OR item.card <> load.card OR item.amount <> load.amount OR queue.account <> load.account)",
    ),
];
