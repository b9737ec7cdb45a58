package sqldb_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"depositd/migrations/custody"
	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
)

// A secret is a row of the table touched, which has a sealed column and little else.
type secret struct {
	ID         sqldb.ID
	Bank       string
	SubAccount string
	Name       string
	Bytes      []byte
}

var secrets = sqldb.NewTable("touched", "id, bank, sub_account, sealed", func(s *secret) []any {
	return []any{&s.ID, &s.Bank, sqldb.Tag("here", &s.SubAccount), sqldb.Sealed("touched", &s.ID, &s.Name, &s.Bytes)}
})

func store(t *testing.T, db *sqldb.DB, rows ...secret) {
	t.Helper()
	if err := db.Write(context.Background(), "test", func(tx *sqldb.Tx) error { return secrets.Insert(context.Background(), tx, rows...) }); err != nil {
		t.Fatal(err)
	}
}

// What is sealed is read as it was written, whatever its length, and is nowhere to be seen; it is found by its tag.
func TestSealed(t *testing.T) {
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		ctx := context.Background()
		db := sqldbtest.Open(t, url, time.Now)
		sizes := map[int]bool{}
		for i, n := range []int{0, 1, 30, 84, 200, 251, 252, 253, 254, 255, 1000} {
			s := secret{ID: sqldb.ID(i + 1), SubAccount: fmt.Sprint("n", n), Name: strings.Repeat("海", n/3), Bytes: bytes.Repeat([]byte{0}, n%3)}
			store(t, db, s)
			got, err := secrets.One(ctx, db, "WHERE sub_account = ?", sqldb.Tag("here", &s.SubAccount))
			if err != nil || got.ID != s.ID || got.Name != s.Name || !bytes.Equal(got.Bytes, s.Bytes) {
				t.Errorf("%d: %+v %v", n, got, err)
			}
			box := sqldbtest.Strings(t, url, fmt.Sprintf("SELECT sealed FROM touched WHERE id = %d", i+1))[0]
			if strings.Contains(box, "海") {
				t.Errorf("%d: it is to be seen", n)
			}
			sizes[len(box)] = true
		}
		if len(sizes) > 4 {
			t.Errorf("the sizes tell lengths: %v", sizes)
		}
		if n, err := sqldb.Value[int](ctx, db, "SELECT COUNT(*) FROM touched WHERE sub_account = ?", sqldb.Tag("elsewhere", new("n30"))); err != nil || n != 0 {
			t.Errorf("a tag of another place finds %d: %v", n, err)
		}
		missing, err := sqldb.Select(ctx, db, func(s *secret) []any { return []any{&s.ID, sqldb.Sealed("touched", &s.ID, &s.Name)} },
			"SELECT COALESCE(t.id, 0), t.sealed FROM seal_keys AS k LEFT JOIN touched AS t ON t.id = 99 WHERE k.id = 1")
		if err != nil || len(missing) != 1 || missing[0].Name != "" {
			t.Errorf("of a row that is not there: %+v %v", missing, err)
		}
	})
}

// Rows written by one statement hold nothing of each other: behind a short secret there are zeros, and not the end of a longer one.
func TestSealedBesideOthers(t *testing.T) {
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		db := sqldbtest.Open(t, url, time.Now)
		store(t, db, secret{ID: 1, Name: strings.Repeat("海", 200)}, secret{ID: 2, Name: "甲"})
		box := sqldbtest.Strings(t, url, "SELECT sealed FROM touched WHERE id = 2")[0]
		plain, err := db.Unseal("touched", 2, []byte(box))
		if want := append([]byte("\x03甲\x00"), make([]byte, 251)...); err != nil || !bytes.Equal(plain, want) {
			t.Errorf("%q %v", plain, err)
		}
	})
}

// What was changed, moved to another row, cut or put there open does not open.
func TestSealedIsBound(t *testing.T) {
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		db := sqldbtest.Open(t, url, time.Now)
		store(t, db, secret{ID: 1, Name: "甲"}, secret{ID: 2, Name: "乙"})
		restore := func(t testing.TB) {
			sqldbtest.Exec(t, url, "DELETE FROM touched")
			store(t.(*testing.T), db, secret{ID: 1, Name: "甲"}, secret{ID: 2, Name: "乙"})
		}
		for name, spoil := range map[string]string{
			"moved":  "UPDATE touched SET sealed = (SELECT x.sealed FROM (SELECT sealed FROM touched WHERE id = 2) AS x) WHERE id = 1",
			"open":   "UPDATE touched SET sealed = '甲' WHERE id = 1",
			"empty":  "UPDATE touched SET sealed = '' WHERE id = 1",
			"as bug": "UPDATE touched SET sealed = X'0003E794B2' WHERE id = 1",
			"cut":    "UPDATE touched SET sealed = SUBSTR(sealed, 1, 40) WHERE id = 1",
		} {
			restore(t)
			sqldbtest.Exec(t, url, spoil)
			if _, err := secrets.One(context.Background(), db, "WHERE id = 1"); !errors.Is(err, sqldb.ErrSealed) {
				t.Errorf("%s: %v", name, err)
			}
			if s, err := secrets.One(context.Background(), db, "WHERE id = 2"); err != nil || s.Name != "乙" {
				t.Errorf("%s: its neighbour: %+v %v", name, s, err)
			}
		}
	})
}

// Only its own master key unlocks a database. When another replica begins a key, this one reads it; with a new master key the
// old one is of no use, and what was sealed is read still.
func TestUnlock(t *testing.T) {
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		ctx, now := context.Background(), time.Now()
		db := sqldbtest.Open(t, url, func() time.Time { return now })
		store(t, db, secret{ID: 1, Name: "甲"})
		other := reopened(t, url, now.Add(100*24*time.Hour))
		if _, err := secrets.One(ctx, other, "WHERE id = 1"); !errors.Is(err, sqldb.ErrLocked) {
			t.Errorf("locked: %v", err)
		}
		if err := other.Unlock(ctx, custody.New()); !errors.Is(err, sqldb.ErrMaster) {
			t.Errorf("another master key: %v", err)
		}
		sqldbtest.Unlock(t, other) // begins a new key, as the first one is old
		store(t, other, secret{ID: 2, Name: "乙"})
		next := custody.New()
		if err := other.Rewrap(ctx, "test", next); err != nil {
			t.Fatal(err)
		}
		store(t, other, secret{ID: 3, Name: "丙"})
		third := reopened(t, url, now)
		if err := third.Unlock(ctx, sqldbtest.Master); !errors.Is(err, sqldb.ErrMaster) {
			t.Errorf("the old master key: %v", err)
		}
		if err := third.Unlock(ctx, next); err != nil {
			t.Fatal(err)
		}
		for _, d := range []*sqldb.DB{other, third} {
			all, err := secrets.All(ctx, d, "ORDER BY id")
			if err != nil || len(all) != 3 || all[0].Name+all[1].Name+all[2].Name != "甲乙丙" {
				t.Errorf("%+v %v", all, err)
			}
		}
		if keys := sqldbtest.Strings(t, url, "SELECT COUNT(*) FROM seal_keys"); keys[0] != "4" {
			t.Errorf("%s keys", keys[0])
		}
		err := third.Write(ctx, "test", func(tx *sqldb.Tx) error {
			_, err := tx.Exec(ctx, "DELETE FROM seal_keys WHERE purpose = 'TAGS'")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := reopened(t, url, now).Unlock(ctx, next); !errors.Is(err, sqldb.ErrNoTags) {
			t.Errorf("without the key for tags: %v", err)
		}
	})
}

func reopened(t *testing.T, url string, now time.Time) *sqldb.DB {
	t.Helper()
	db, err := sqldb.OpenAt(context.Background(), url, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// Replicas that unlock a new database at once come to have one key for tags.
func TestUnlockAtOnce(t *testing.T) {
	sqldbtest.EachEmpty(t, func(t *testing.T, url string) {
		ctx, master := context.Background(), custody.New()
		first := reopened(t, url, time.Now())
		if _, err := first.Migrate(ctx); err != nil {
			t.Fatal(err)
		}
		replicas := []*sqldb.DB{first, reopened(t, url, time.Now()), reopened(t, url, time.Now())}
		var together sync.WaitGroup
		tags := make([]string, len(replicas))
		for i, db := range replicas {
			together.Go(func() {
				if err := db.Unlock(ctx, master); err != nil {
					t.Error(err)
				}
				tags[i], _ = db.Tag("here", "甲")
			})
		}
		together.Wait()
		if tags[0] == "" || tags[0] != tags[1] || tags[1] != tags[2] {
			t.Errorf("tags: %q", tags)
		}
	})
}

// When the keys of a database are gone and what they sealed is not, no others are made, whichever is missing; where nothing was
// sealed they are.
func TestKeysGone(t *testing.T) {
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		ctx := context.Background()
		for _, c := range []struct {
			gone string
			kept bool
			want error
		}{{"", false, nil}, {" WHERE purpose = 'ROWS'", false, nil}, {" WHERE purpose = 'ROWS'", true, sqldb.ErrNoKeys}, {"", true, sqldb.ErrNoKeys}} {
			db := sqldbtest.Open(t, url, time.Now)
			if c.kept {
				store(t, db, secret{ID: sqldb.NewID(), Name: "甲"})
			}
			kept := sqldbtest.Strings(t, url, "SELECT COUNT(*) FROM seal_keys")[0]
			sqldbtest.Exec(t, url, "DELETE FROM seal_keys"+c.gone)
			left := sqldbtest.Strings(t, url, "SELECT COUNT(*) FROM seal_keys")[0]
			again := reopened(t, url, time.Now())
			if err := again.Unlock(ctx, sqldbtest.Master); !errors.Is(err, c.want) {
				t.Errorf("%q, %v: %v", c.gone, c.kept, err)
			}
			if _, err := again.Master(ctx); c.gone == "" && !errors.Is(err, c.want) {
				t.Errorf("%q, %v: its master key: %v", c.gone, c.kept, err)
			}
			if n := sqldbtest.Strings(t, url, "SELECT COUNT(*) FROM seal_keys")[0]; c.want != nil && n != left || c.want == nil && n != kept {
				t.Errorf("%q, %v: %s keys", c.gone, c.kept, n)
			}
			if c.want != nil { // as from a backup
				sqldbtest.Exec(t, url, "DELETE FROM touched", "DELETE FROM seal_keys")
				sqldbtest.Unlock(t, again)
			}
		}
	})
}

// formerRows is a row of each kind as it stood before there were seals, with the name 聊城甲 and account 6217 in it.
var formerRows = []string{
	"INSERT INTO entries VALUES (1,'b','p','2026-06-12','S',0,'C','','',0,'n',100,'2026-06-12 09:00:00.000','聊城甲','聊城甲','6217','某行','102','备注','2026-06-12 09:00:00.000')",
	"INSERT INTO messages VALUES (2,'b','abc','HTTP','NOTICE','NEW','','说明','abc',3,'2026-06-12 09:00:00.000','聊城甲6217')",
	"INSERT INTO messages VALUES (3,'b','file:def','FILE','STATEMENT','NEW','','甲.csv','def',3,'2026-06-12 09:00:00.000','')",
	"INSERT INTO messages VALUES (4,'b','msg-1','HTTP','NOTICE','NEW','','','abc',3,'2026-06-12 09:00:00.000','聊城甲')",
	"INSERT INTO messages VALUES (28,'b','S1/abc','HTTP','NOTICE','NEW','','','abc',3,'2026-06-12 09:00:00.000','聊城甲')",
	"INSERT INTO message_parts VALUES (3,0,'聊城甲'),(3,1,'6217')",
	"INSERT INTO conflicts VALUES (5,1,'N',2,0,'2026-06-12 09:00:00.000','payer_name',100,'聊城甲','abc')",
	"INSERT INTO faults VALUES (3,1,1,'x','聊城甲','6217'),(3,1,2,'y','聊城甲','6217')",
	"INSERT INTO bids VALUES (6,9,'聊城甲','聊城甲','6217','LIVE',1),(7,9,'聊城乙','聊城乙','','LIVE',1)",
	"INSERT INTO strays VALUES (1,'聊城甲')",
	"INSERT INTO incident_evidence VALUES (16,1,'','k','TEXT','聊城甲','','',6,'abc','6217','某人','2026-06-12 09:00:00.000',1)",
	"INSERT INTO touched VALUES (8,'b','n','聊城甲')",
	"INSERT INTO platform_events VALUES (9,'E1','OPENED',9,0,'2026-06-12 09:00:00.000','1000-01-01 00:00:00.000','聊城甲','abc','2026-06-12 09:00:00.000')",
	"INSERT INTO findings VALUES (10,'CREDIT',1,'LATE','','2026-06-12','b','p',1,0,0,0,'finance','聊城甲','OPEN',1,'2026-06-12 09:00:00.000')",
	"INSERT INTO refund_lists VALUES (11,'TF-1','d','r','abc','聊城甲','m','2026-06-12 09:00:00.000')",
	"INSERT INTO refund_sends VALUES (12,1,1,'b','p','','abc','聊城甲','2026-06-12 09:00:00.000')",
	"INSERT INTO refund_answers VALUES (13,12,'ANSWER','abc','聊城甲','2026-06-12 09:00:00.000')",
	"INSERT INTO payee_changes VALUES (14,1,'聊城甲','6217','某行','102','证明','','m','','','','2026-06-12 09:00:00.000','1000-01-01 00:00:00.000','PROPOSED',1)",
	"INSERT INTO events (at, by_whom, table_name, row_id, was, became, note) VALUES ('2026-06-12 09:00:00.000','某人','findings',10,'OPEN','EXPLAINED','聊城甲来电'),('2026-06-12 09:00:00.000','某人','bids',6,'','CREATED','')",
	"INSERT INTO refunds VALUES (15,'R1',11,1,'b','p','n',9,6,'d','LOST','R1','',0,100,0,0,'聊城甲','6217','某行','102',0,'BANK',0,0,0,'','','聊城甲户名不符','','','DRAFT',1,'2026-06-12 09:00:00.000','1000-01-01 00:00:00.000','1000-01-01 00:00:00.000',0)",
	"INSERT INTO enquiries VALUES (17,'n',100,'2026-06-12','S','b','聊城甲','6217来电','m','2026-06-12 09:00:00.000','','1000-01-01 00:00:00.000','','','ASKED',1)",
	"INSERT INTO opening_words VALUES (18,9,'OPENED','2026-06-12 09:00:00.000',1,'m','聊城甲','2026-06-12 09:00:00.000'),(19,9,'EARLIER','2026-06-12 09:00:00.000',0,'','','2026-06-12 09:00:00.000')",
	"INSERT INTO dispositions VALUES (20,1,'HELD',0,'','1号','聊城甲','m','','2026-06-12 09:00:00.000','PROPOSED',1)",
	"INSERT INTO incidents VALUES (21,'YJ-2026-0001','','4.6.2','','','x','PERSON',0,'b','p',0,'d','聊城甲','6217','','','','','BANK','{\"x\":\"聊城甲\"}','REPORTED',1,1,0,'m'," + strings.Repeat("'1000-01-01 00:00:00.000',", 9) + "'1000-01-01 00:00:00.000')",
	"INSERT INTO incident_signatures VALUES (22,21,'confirm','','','m','o','聊城甲','2026-06-12 09:00:00.000','2026-06-12 09:00:00.000')",
	"INSERT INTO incident_steps VALUES (23,21,'4.6.2/1','DONE',1,'m','o','聊城甲','2026-06-12 09:00:00.000','2026-06-12 09:00:00.000'),(24,21,'4.6.2/2','OPEN',1,'','','','1000-01-01 00:00:00.000','1000-01-01 00:00:00.000')",
	"INSERT INTO incident_timeline VALUES (25,21,1,'2026-06-12 09:00:00.000','m','o','NOTE','聊城甲')",
	"INSERT INTO incident_backfills VALUES (26,21,'聊城甲',1,'m','o','2026-06-12 09:00:00.000','2026-06-12 09:00:00.000','2026-06-12 09:00:00.000')",
	"INSERT INTO incident_actions VALUES (27,21,'聊城甲','m','2026-06-12','DONE',1,'6217','m','2026-06-12 09:00:00.000','2026-06-12 09:00:00.000')",
}

// A database from before there were seals is sealed, also when that breaks off, and its files keep nothing of what they held.
func TestSealFormer(t *testing.T) {
	sqldbtest.EachEmpty(t, func(t *testing.T, url string) {
		ctx := context.Background()
		db := reopened(t, url, time.Now())
		if err := db.MigrateTo(ctx, 16); err != nil {
			t.Fatal(err)
		}
		sqldbtest.Exec(t, url, formerRows...)
		if _, err := db.Migrate(ctx); err != nil {
			t.Fatal(err)
		}
		sqldbtest.Unlock(t, db)
		if n, err := db.Unsealed(ctx); err != nil || n != 32 {
			t.Fatalf("%d rows wait: %v", n, err)
		}
		if err := db.SealSomeFormer(ctx); err != nil {
			t.Fatal(err)
		}
		sqldbtest.Exec(t, url, "INSERT INTO unsealed (table_name, row_id, place, spot, t1, t2, t3, t4, t5, t6, body) VALUES ('', 0, 0, 0, '', '', '', '', '', '', '')", // it broke off before
			"INSERT INTO unsealed VALUES ('touched', 16, 0, 0, '聊城丙', '', '', '', '', '', '')", "INSERT INTO touched VALUES (16, '', '', '')")
		for want := 1; want >= 0; want-- { // the second time nothing is left to do
			if n, err := db.SealFormer(ctx, "test"); err != nil || n != want {
				t.Fatalf("%d were sealed: %v", n, err)
			}
		}
		if n, err := db.Unsealed(ctx); err != nil || n != 0 {
			t.Errorf("%d rows wait still: %v", n, err)
		}
		for place, want := range map[string]string{
			"entries 1 sealed": "聊城甲 聊城甲 6217 某行 102 备注", "messages 2 body": "说明 聊城甲6217", "messages 3 body": "甲.csv ", "messages 4 body": " 聊城甲", "conflicts 5 sealed": "聊城甲 abc",
			"bids 6 sealed": "聊城甲 聊城甲 6217", "bids 7 sealed": "聊城乙 聊城乙 ", "touched 8 sealed": "聊城甲", "touched 16 sealed": "聊城丙", "platform_events 9 sealed": "聊城甲 abc", "findings 10 sealed": "聊城甲",
			"refund_lists 11 sealed": "聊城甲 abc", "refund_sends 12 body": "abc 聊城甲", "refund_answers 13 body": "abc 聊城甲", "payee_changes 14 sealed": "聊城甲 6217 某行 102 证明",
			"incident_evidence 16 sealed": "k 聊城甲  abc", "incident_evidence 16 body": "6217",
			"enquiries 17 sealed": "聊城甲 6217来电", "opening_words 18 sealed": "聊城甲", "dispositions 20 sealed": "聊城甲", "incidents 21 sealed": "聊城甲 6217", "incidents 21 fault": `{"x":"聊城甲"}`,
			"incident_signatures 22 sealed": "聊城甲", "incident_steps 23 sealed": "聊城甲", "incident_timeline 25 sealed": "聊城甲", "incident_backfills 26 sealed": "聊城甲", "incident_actions 27 sealed": "聊城甲 6217",
			"refunds 15 sealed": "聊城甲 6217 某行 102", "refunds 15 said": "聊城甲户名不符"} {
			var table, id, column string
			_, _ = fmt.Sscan(place, &table, &id, &column)
			if got := opened(t, db, table, id, sqldbtest.Strings(t, url, "SELECT "+column+" FROM "+table+" WHERE id = "+id)[0]); got != want {
				t.Errorf("%s: %q, want %q", place, got, want)
			}
		}
		for place, want := range map[string]string{"message_parts part = 0": "聊城甲", "message_parts part = 1": "6217", "faults line = 1 AND col = 1": "聊城甲 6217", "faults line = 1 AND col = 2": "聊城甲 6217"} {
			table, where, _ := strings.Cut(place, " ")
			column := map[string]string{"message_parts": "body", "faults": "sealed"}[table]
			var places []int
			for _, word := range strings.Fields(where) {
				if n, err := strconv.Atoi(word); err == nil {
					places = append(places, n)
				}
			}
			if got := opened(t, db, table, "3", sqldbtest.Strings(t, url, "SELECT "+column+" FROM "+table+" WHERE message_id = 3 AND "+where)[0], places...); got != want {
				t.Errorf("%s: %q, want %q", place, got, want)
			}
		}
		if notes, err := sqldb.Events.All(ctx, db, "WHERE by_whom = '某人' ORDER BY seq"); err != nil || len(notes) != 2 || notes[0].Note != "聊城甲来电" || notes[1].Note != "" {
			t.Errorf("events: %+v %v", notes, err)
		}
		tag, err := db.Tag("messages", "abc")
		if ids := sqldbtest.Strings(t, url, "SELECT external_id FROM messages ORDER BY id"); err != nil || ids[0] != tag || !strings.HasPrefix(ids[1], "file:") || ids[1] == "file:def" || ids[2] != "msg-1" || ids[3] != "S1/"+tag {
			t.Errorf("the messages' own ids: %q %v", ids, err)
		}
		if file := sqldb.File(url); file != "" {
			for _, name := range []string{file, file + "-wal"} {
				body, err := os.ReadFile(filepath.Clean(name))
				if err != nil || bytes.Contains(body, []byte("聊城")) {
					t.Errorf("%s holds still what it held: %v", filepath.Base(name), err)
				}
			}
		}
	})
}

// opened is what a sealed value says, its secrets parted by blanks.
func opened(t *testing.T, db *sqldb.DB, table, id, box string, places ...int) string {
	t.Helper()
	var key sqldb.ID
	_, _ = fmt.Sscan(id, (*int64)(&key))
	plain, err := db.Unseal(table, key, []byte(box), places...)
	if err != nil {
		t.Fatalf("%s %s: %v", table, id, err)
	}
	var all []string
	for len(plain) > 0 && (plain[0] != 0 || len(all) == 0 || len(bytes.Trim(plain, "\x00")) > 0) {
		n := int(plain[0])
		all, plain = append(all, string(plain[1:1+n])), plain[1+n:]
	}
	text := strings.Join(all, " ")
	if strings.HasPrefix(table, "bids") && strings.Count(text, " ") == 1 || table == "messages" && !strings.Contains(text, " ") {
		text += " " // the last secret is empty
	}
	return text
}
