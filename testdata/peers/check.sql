-- The check of depositd in DuckDB's SQL: the same two files in, the same findings out. {bids}, {statement} and {out} are
-- the files. Whatever few rows need is worked out for those rows only; the large tables are read once and joined once.
CREATE TEMP TABLE bids AS
SELECT lot, opening_at, deposit, sub_account, bidder, bidder_account, lease_from,
       coalesce(lease_to, TIMESTAMP '9999-12-31 00:00:00') AS lease_to, single_payment, basic_account_required
FROM read_csv({bids}, header = true, auto_detect = false, delim = ',', quote = '"', escape = '"', columns = {
    lot: 'VARCHAR', department: 'VARCHAR', opening_at: 'TIMESTAMP', deposit: 'DECIMAL(15,2)', sub_account: 'VARCHAR', bidder: 'VARCHAR',
    bidder_account: 'VARCHAR', lease_from: 'TIMESTAMP', lease_to: 'TIMESTAMP', single_payment: 'BOOLEAN', basic_account_required: 'BOOLEAN'});

CREATE TEMP TABLE lines AS
SELECT bank_serial, booking_date, booked_at, parent_account, sub_account, direction, amount, payer_name, payer_account, payer_bank, remark, reversal_of
FROM read_csv({statement}, header = true, auto_detect = false, delim = ',', quote = '"', escape = '"', force_not_null = ['sub_account', 'payer_name', 'payer_account', 'payer_bank', 'remark', 'reversal_of'], columns = {
    bank_serial: 'VARCHAR', booking_date: 'DATE', booked_at: 'TIMESTAMP', parent_account: 'VARCHAR', sub_account: 'VARCHAR', direction: 'VARCHAR',
    amount: 'DECIMAL(15,2)', payer_name: 'VARCHAR', payer_account: 'VARCHAR', payer_bank: 'VARCHAR', remark: 'VARCHAR', reversal_of: 'VARCHAR'});

-- Lines that come again, and those that contradict the first of their serial.
CREATE TEMP TABLE again AS
WITH serials AS (SELECT bank_serial FROM lines WHERE direction = 'C' GROUP BY bank_serial HAVING count(*) > 1),
copies AS (SELECT l.rowid AS line, l.*, row_number() OVER same AS nth,
                  ROW(amount, sub_account, booked_at, payer_name, payer_account, payer_bank, remark, reversal_of)
                      IS DISTINCT FROM first_value(ROW(amount, sub_account, booked_at, payer_name, payer_account, payer_bank, remark, reversal_of)) OVER same AS differs
           FROM lines l SEMI JOIN serials USING (bank_serial) WHERE direction = 'C'
           WINDOW same AS (PARTITION BY parent_account, booking_date, bank_serial ORDER BY l.rowid))
SELECT line, nth > 1 AS dropped, bool_or(differs) OVER (PARTITION BY parent_account, booking_date, bank_serial) AS aside FROM copies;

-- Credits that were taken back: of those that a reversal names, the last.
CREATE TEMP TABLE taken AS
WITH named AS (SELECT parent_account, reversal_of AS bank_serial, count(*) AS n
               FROM (SELECT DISTINCT ON (parent_account, booking_date, bank_serial) parent_account, reversal_of FROM lines
                     WHERE direction = 'D' AND reversal_of <> '' ORDER BY rowid)
               GROUP BY ALL)
SELECT line FROM (
    SELECT l.rowid AS line, named.n, row_number() OVER (PARTITION BY l.parent_account, l.bank_serial ORDER BY l.booked_at DESC, l.rowid DESC) AS nth
    FROM lines l JOIN named USING (parent_account, bank_serial)
    WHERE l.direction = 'C' AND l.rowid NOT IN (SELECT line FROM again WHERE dropped))
WHERE nth <= n;

-- Each credit with the bid that held its number.
CREATE TEMP TABLE held AS
SELECT *, NOT (taken OR came_back OR aside) AND bid IS NOT NULL AND own AND NOT late AND NOT other_account AS counts
FROM (
    SELECT l.rowid AS line, b.rowid AS bid, l.amount, b.deposit, b.single_payment, l.booked_at, l.sub_account = '' AS to_parent,
           l.rowid IN (SELECT line FROM taken) AS taken,
           l.reversal_of <> '' OR contains(l.remark, '退汇') OR contains(l.remark, '退票') AS came_back,
           l.rowid IN (SELECT line FROM again WHERE aside) AS aside,
           l.payer_name <> b.bidder AS otherwise,
           CASE WHEN l.payer_name = b.bidder THEN true
                ELSE upper(translate(l.payer_name, '()（） ', '')) = upper(translate(b.bidder, '()（） ', '')) END AS own,
           l.booked_at >= b.opening_at AS late,
           own AND b.basic_account_required AND l.payer_account <> b.bidder_account AS other_account
    FROM lines l LEFT JOIN bids b ON l.sub_account = b.sub_account AND l.booked_at >= b.lease_from AND l.booked_at < b.lease_to
    WHERE l.direction = 'C' AND l.rowid NOT IN (SELECT line FROM again WHERE dropped));

-- What counts on each bid.
CREATE TEMP TABLE sums AS
SELECT bid, count(*) AS n, sum(amount) AS total, any_value(deposit) AS deposit, max(amount) >= any_value(deposit) AS whole,
       CASE WHEN any_value(single_payment) THEN max(amount) >= any_value(deposit) ELSE sum(amount) >= any_value(deposit) END AS paid
FROM held WHERE counts GROUP BY bid;

-- The credits of which there is something to say, and why.
CREATE TEMP TABLE odd AS
WITH few AS (
    SELECT h.*, s.n, s.total, s.whole FROM held h LEFT JOIN sums s ON h.bid = s.bid
    WHERE NOT (h.counts AND s.n = 1 AND h.amount = h.deposit AND NOT h.otherwise)),
weighed AS (
    SELECT f.*, l.sub_account, l.bank_serial, l.payer_name, l.payer_account, upper(translate(l.payer_name, '()（） ', '')) AS payer,
           coalesce(sum(f.amount) FILTER (f.counts) OVER earlier, 0) AS before,
           coalesce(bool_or(f.amount >= f.deposit) FILTER (f.counts) OVER earlier, false) AS whole_up
    FROM few f JOIN lines l ON f.line = l.rowid
    WINDOW earlier AS (PARTITION BY coalesce(f.bid, -1 - f.line) ORDER BY f.booked_at, l.bank_serial, f.line ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING))
SELECT w.*, b.lot, b.bidder, w.to_parent OR w.bid IS NULL OR NOT w.own AS strays,
       w.sub_account IN (SELECT sub_account FROM bids) AS known
FROM weighed w LEFT JOIN bids b ON w.bid = b.rowid;

-- The other bids of the payers of money that went astray.
CREATE TEMP TABLE meant AS
SELECT o.line, b.lot, b.bidder, true AS found,
       o.booked_at >= b.lease_from AND o.booked_at < b.lease_to AS in_force
FROM odd o JOIN bids b ON o.strays AND upper(translate(b.bidder, '()（） ', '')) = o.payer
LEFT JOIN sums s ON s.bid = b.rowid
WHERE o.to_parent OR o.bid IS NULL OR (o.booked_at >= b.lease_from AND o.booked_at < b.lease_to)
QUALIFY row_number() OVER (PARTITION BY o.line ORDER BY
    CASE WHEN o.booked_at >= b.lease_from AND o.booked_at < b.lease_to THEN 0 ELSE 8 END + CASE WHEN coalesce(s.paid, false) THEN 2 ELSE 0 END
    + CASE WHEN b.deposit = o.amount THEN 0 ELSE 1 END, b.lot, b.lease_from, b.rowid) = 1;

CREATE TEMP TABLE judged AS
WITH why AS (
    SELECT o.*, m.lot AS suggested_lot, m.bidder AS suggested_bidder,
        list_filter([
            CASE WHEN o.taken THEN 'REVERSED' END,
            CASE WHEN o.came_back THEN 'RETURNED_REFUND' END,
            CASE WHEN o.aside THEN 'ADVICE_CONFLICT' END,
            CASE WHEN o.to_parent THEN 'PAID_TO_PARENT' END,
            CASE WHEN NOT o.to_parent AND o.bid IS NULL THEN 'UNKNOWN_SUB_ACCOUNT' END,
            CASE WHEN NOT o.to_parent AND o.bid IS NULL AND o.known THEN 'NOT_LEASED' END,
            CASE WHEN NOT o.own AND m.in_force THEN 'WRONG_SUB_ACCOUNT' END,
            CASE WHEN NOT o.own AND m.in_force IS NULL THEN 'THIRD_PARTY_PAYER' END,
            CASE WHEN o.late THEN 'LATE_CREDIT' END,
            CASE WHEN o.other_account THEN 'NOT_BASIC_ACCOUNT' END,
            CASE WHEN NOT o.own AND regexp_full_match(o.payer_name, '\p{Han}{2,4}')
                 AND NOT regexp_matches(o.payer_name, '公司|厂|店|院|所|局|处|部|社|会|中心|集团|学校|银行|企业|行|站|队|场|馆|室') THEN 'PERSONAL_PAYER' END],
            x -> x IS NOT NULL) AS stands
    FROM odd o LEFT JOIN meant m USING (line)),
weighed AS (
    SELECT *, CASE
        WHEN len(stands) > 0 THEN stands
        WHEN single_payment AND NOT whole THEN ['UNDERPAID', 'SINGLE_PAYMENT_REQUIRED']
        WHEN single_payment AND amount < deposit THEN ['OVERPAID', 'SINGLE_PAYMENT_REQUIRED']
        WHEN single_payment AND whole_up THEN ['DUPLICATE_PAYMENT']
        WHEN single_payment AND amount > deposit THEN ['OVERPAID']
        WHEN single_payment THEN []
        WHEN total < deposit THEN ['UNDERPAID']
        WHEN before >= deposit AND amount >= deposit THEN ['DUPLICATE_PAYMENT']
        WHEN before >= deposit THEN ['OVERPAID']
        WHEN before + amount > deposit AND before > 0 THEN ['OVERPAID', 'SPLIT_PAYMENT']
        WHEN before + amount > deposit THEN ['OVERPAID']
        WHEN amount < deposit THEN ['SPLIT_PAYMENT']
        ELSE [] END AS reasons
    FROM why)
SELECT line, bank_serial, sub_account, lot, bidder, amount,
       CASE WHEN len(reasons) = 0 OR reasons[1] = 'SPLIT_PAYMENT' THEN 'MATCHED' ELSE reasons[1] END AS verdict,
       CASE WHEN own AND otherwise THEN list_append(reasons, 'NAME_VARIANT') ELSE reasons END AS reasons,
       CASE WHEN verdict IN ('WRONG_SUB_ACCOUNT', 'UNKNOWN_SUB_ACCOUNT', 'PAID_TO_PARENT') THEN suggested_lot END AS suggested_lot,
       CASE WHEN verdict IN ('WRONG_SUB_ACCOUNT', 'UNKNOWN_SUB_ACCOUNT', 'PAID_TO_PARENT') THEN suggested_bidder END AS suggested_bidder
FROM weighed;

CREATE TEMP TABLE findings AS
SELECT 0 AS kind_order, line AS place, 'credit' AS kind, bank_serial, sub_account, lot, bidder, amount, verdict,
       array_to_string(reasons, ';') AS reasons, suggested_lot, suggested_bidder
FROM judged WHERE len(reasons) > 0
UNION ALL
SELECT 1, b.rowid, 'bid', NULL, b.sub_account, b.lot, b.bidder, b.deposit, CASE WHEN s.bid IS NULL THEN 'UNPAID' ELSE 'UNDERPAID' END,
       CASE WHEN s.bid IS NULL THEN 'UNPAID' ELSE 'UNDERPAID' END, NULL, NULL
FROM bids b LEFT JOIN sums s ON s.bid = b.rowid
WHERE NOT coalesce(s.paid, false);

COPY (SELECT kind, bank_serial, nullif(sub_account, '') AS sub_account, lot, bidder, amount, verdict, reasons, suggested_lot, suggested_bidder FROM findings ORDER BY kind_order, place)
TO {out} (HEADER, DELIMITER ',');
