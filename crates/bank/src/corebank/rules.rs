//! What holds between loads and a core banking host's rows, as queries for the reconciler.

/// Each gives one text per breach, with the reference of the load.
pub(crate) const RULES: [(&str, &str); 6] = [
    (
        "CORE",
        "SELECT load.reference || ' core ' || core.state FROM core
         JOIN load ON load.bank = core.bank AND load.id = core.load
         WHERE core.bank = $1 AND NOT (
             (core.state = 'asked' AND load.phase = 'authorised')
             OR (core.state = 'declined' AND load.phase IN ('declined', 'voided'))
             OR (core.state = 'booked'
                 AND load.phase IN ('issued', 'in-doubt', 'manual', 'confirmed', 'written-off'))
             OR (core.state IN ('reverse', 'reversed') AND load.phase IN ('voided', 'reversed')))",
    ),
    (
        "CORE",
        "SELECT load.reference || ' core money' FROM core
         JOIN load ON load.bank = core.bank AND load.id = core.load
         LEFT JOIN (SELECT load AS of_load,
             sum(CASE WHEN kind = 'deposit' THEN 1 ELSE 0 END) AS deposits,
             sum(CASE WHEN kind = 'withdrawal' THEN 1 ELSE 0 END) AS withdrawals
             FROM transfer WHERE bank = $1 AND load IS NOT NULL GROUP BY load) AS moved
             ON of_load = core.load
         WHERE core.bank = $1 AND (
             (load.phase IN ('issued', 'in-doubt', 'manual', 'confirmed', 'written-off', 'reversed'))
                 <> (coalesce(deposits, 0) = 1)
             OR (load.phase = 'reversed') <> (coalesce(withdrawals, 0) = 1))",
    ),
    (
        "CORE",
        "SELECT load.reference || ' core amount' FROM core
         JOIN load ON load.bank = core.bank AND load.id = core.load
         WHERE core.bank = $1 AND core.amount <> load.amount",
    ),
    (
        "CORE",
        "SELECT load.reference || ' ' || transfer.kind || ' without a host' FROM transfer
         JOIN load ON load.bank = transfer.bank AND load.id = transfer.load
         LEFT JOIN core ON core.bank = transfer.bank AND core.load = transfer.load
         WHERE transfer.bank = $1 AND transfer.kind IN ('deposit', 'withdrawal') AND core.load IS NULL",
    ),
    (
        "CORE",
        "SELECT load.reference || ' core customer' FROM core
         JOIN load ON load.bank = core.bank AND load.id = core.load
         JOIN transfer ON transfer.bank = core.bank AND transfer.load = core.load
         JOIN entry ON entry.bank = transfer.bank AND entry.transfer = transfer.id
         WHERE core.bank = $1 AND entry.account LIKE 'customer:%'
         GROUP BY load.reference HAVING sum(entry.amount) <> 0",
    ),
    (
        "CORE",
        "SELECT reference || ' asks nobody' FROM load WHERE bank = $1 AND kind = 'top-up'
         AND phase = 'authorised' AND NOT EXISTS (SELECT 1 FROM core
             WHERE core.bank = load.bank AND core.load = load.id AND core.state = 'asked')",
    ),
];
