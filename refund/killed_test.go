package refund_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"depositd/bank"
	"depositd/bank/banksim"
	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/refund"
)

// TestMain is the sending worker where a test has started one.
func TestMain(m *testing.M) {
	if os.Getenv("REFUND_WORKER") == "" {
		os.Exit(m.Run())
	}
	if err := work(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// work is the worker: it sends what is due to the bank at the address it is given, and asks about what is open.
func work(ctx context.Context) error {
	now, err := time.Parse(time.RFC3339, os.Getenv("REFUND_NOW"))
	if err != nil {
		return err
	}
	db, err := sqldb.OpenAt(ctx, os.Getenv("REFUND_WORKER"), func() time.Time { return now })
	if err != nil {
		return err
	}
	if err := db.Unlock(ctx, sqldbtest.Master); err != nil {
		return err
	}
	banks, err := bank.ParseSet([]byte(os.Getenv("REFUND_BANKS")), nil)
	if err != nil {
		return err
	}
	b := banks.Only()
	line, err := bank.NewLine(b, db.Now, nil)
	if err != nil {
		return err
	}
	desk := refund.NewDesk(db, banks, nil, refund.DefaultLimits)
	switch bug := os.Getenv("REFUND_BUG"); bug {
	case notFoundFails:
		refund.Seed(bank.PayNotFound, "reject")
	case newSerial:
		if err := giveUp(ctx, db); err != nil {
			return err
		}
	}
	exchange := func(ctx context.Context, _ *bank.Bank, _ string, raw []byte) ([]byte, error) {
		return line.Exchange(ctx, raw)
	}
	_, err = desk.SendDue(ctx, "worker", b, exchange)
	if err == nil {
		_, err = desk.AskDue(ctx, "worker", b, 10*time.Minute, exchange)
	}
	return errors.Join(err, db.Close())
}

// The bugs that are planted for the harness to find.
const (
	newSerial     = "a new serial on retry"
	notFoundFails = "not found means failed"
)

// giveUp takes what was being sent when the worker died for not sent, so that it is ordered again under another serial.
func giveUp(ctx context.Context, db *sqldb.DB) error {
	return db.Write(ctx, "worker", func(tx *sqldb.Tx) error {
		for _, text := range []string{"UPDATE receipts SET reserved = 0 WHERE entry_id IN (SELECT entry_id FROM refunds WHERE state = 'SENDING')",
			"UPDATE refunds SET state = 'FAILED' WHERE state = 'SENDING'"} {
			if _, err := tx.Exec(ctx, text); err != nil {
				return err
			}
		}
		return nil
	})
}

// mortal is a month whose sender is a process of its own that is killed again and again, and whose bank is reached over TCP.
type mortal struct {
	*month
	url, banks string
	bug        string

	bank    sync.Mutex // over the bank's side
	birth   sync.Mutex // held until the worker has its process
	worker  atomic.Pointer[exec.Cmd]
	aimed   atomic.Int32 // at which message from now on the worker is killed; 0: at none
	kills   int
	sending int // kills that left a line of which nobody knows
}

// unkind is a bank of which four payments in ten are not answered.
var unkind = banksim.Odds(map[banksim.Fate]int{banksim.Pays: 60, banksim.LosesAnswer: 10, banksim.Drowns: 10, banksim.Sleeps: 20})

func newMortal(t *testing.T, bug string, bidders int) *mortal {
	t.Helper()
	url := sqldb.FileURL(filepath.Join(sqldbtest.InMemory(t), "killed.db"))
	db, now := database(t, url)
	r := rand.New(rand.NewPCG(rand.Uint64(), 7))
	k := &mortal{month: &month{r: r, house: houseOf(t, db, now, "lcyh", parent, "gseries", "per_item", r), lot: lot, day: theDay}, url: url, bug: bug}
	k.pays = k.sim.Paying(banksim.PayRules{Dice: unkind, Later: 30 * time.Hour})
	k.lose(bidders)
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	k.must(err)
	k.banks = strings.Replace(fmt.Sprintf(banksFor, "lcyh", "gseries", "per_item", parent), "notices: single", "notices: single, call: 'tcp://"+listener.Addr().String()+"'", 1)
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- bank.ServeFrames(ctx, listener, 1<<20, time.Minute, k.answer) }()
	t.Cleanup(func() {
		stop()
		k.must(<-served)
	})
	return k
}

// answer is the bank's. It may be that who asks does not live to hear it.
func (k *mortal) answer(ctx context.Context, raw []byte) []byte {
	k.bank.Lock()
	answer, err := k.exchange(ctx, k.lcyh, "", raw)
	k.bank.Unlock()
	if bytes.Contains(raw, []byte("<TransCode>G00010</TransCode>")) && k.aimed.Load() > 0 && k.aimed.Add(-1) == 0 {
		time.Sleep(time.Duration(rand.IntN(1500)) * time.Microsecond)
		k.birth.Lock()
		worker := k.worker.Load().Process
		k.birth.Unlock()
		_ = worker.Kill()
		return nil
	}
	if err != nil {
		return nil
	}
	return answer
}

// run starts a worker and kills it at a message of its, or, now and then, at some moment.
func (k *mortal) run() (ended bool) {
	k.t.Helper()
	k.aimed.Store([]int32{1, 1, 1, 1, 2, 3}[rand.IntN(6)])
	if rand.IntN(40) == 0 {
		k.aimed.Store(0)
	}
	cmd := exec.CommandContext(context.Background(), os.Args[0])
	cmd.Env = []string{"REFUND_WORKER=" + k.url, "REFUND_BANKS=" + k.banks, "REFUND_BUG=" + k.bug, "REFUND_NOW=" + k.now.Format(time.RFC3339)}
	var said strings.Builder
	cmd.Stderr = &said
	k.worker.Store(cmd)
	atRandom := k.aimed.Load() == 0
	k.birth.Lock()
	err := cmd.Start()
	k.birth.Unlock()
	k.must(err)
	if atRandom {
		time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond)
		_ = cmd.Process.Kill()
	}
	err = cmd.Wait()
	k.aimed.Store(0)
	switch {
	case cmd.ProcessState.Exited() && err != nil:
		k.t.Fatalf("the worker failed: %v %s", err, said.String())
	case cmd.ProcessState.Exited():
		return true
	}
	k.kills++
	left, err := sqldb.Value[int](context.Background(), k.db, "SELECT COUNT(*) FROM refunds WHERE state = 'SENDING'")
	if k.must(err); left > 0 {
		k.sending++
	}
	return false
}

// live kills workers so many times, lists again what is free, and lets everything come to rest.
func (k *mortal) live(kills int) (found []string) {
	k.t.Helper()
	ended := true
	for rounds := 0; k.kills < kills && rounds < 4*kills; rounds++ {
		if ended || rounds%20 == 0 {
			k.list()
		}
		*k.now = k.now.Add(2 * time.Minute)
		k.bank.Lock()
		k.pays.Tick()
		k.bank.Unlock()
		ended = k.run()
		if k.now.After(k.day.Add(1).Start()) {
			k.sleep()
		}
	}
	k.settle()
	known := map[string]bool{}
	for _, l := range k.lines() {
		known[l.Serial] = true
	}
	for _, l := range k.pays.Ledger() {
		if !known[l.Serial] {
			k.found = append(k.found, l.Serial+" was paid and is not in the books")
		}
	}
	k.t.Logf("%d kills, %d left a line of which nobody knew, %d payments", k.kills, k.sending, len(k.pays.Ledger()))
	return k.found
}

// However often the sending worker is killed, nothing is paid twice, no line is lost, and every one is final in the end. Each
// hundred kills have a centre of their own.
func TestTortureSenderKilled(t *testing.T) {
	sqldbtest.Unwatched(t)
	const kills = 100
	centres := 1
	if os.Getenv("TORTURE") != "" {
		centres = 10
	}
	for centre := range centres {
		t.Run(fmt.Sprint(centre), func(t *testing.T) {
			k := newMortal(t, "", kills*5/2)
			if found := k.live(kills); len(found) > 0 {
				t.Error(found)
			}
			if k.kills < kills || k.sending*10 < k.kills*9 {
				t.Errorf("%d of %d kills left a line in doubt: the test shows too little", k.sending, k.kills)
			}
			k.sound()
		})
	}
}

// The harness finds what it is there to find.
func TestSenderKilledFindsBugs(t *testing.T) {
	sqldbtest.Unwatched(t)
	for _, bug := range []string{newSerial, notFoundFails} {
		t.Run(bug, func(t *testing.T) {
			var found []string
			for kills := 0; kills < 25; { // a month may be paid before so many have happened
				k := newMortal(t, bug, 20)
				found = append(found, k.live(25)...)
				kills += k.kills
			}
			if len(found) == 0 {
				t.Error("it is not found")
			}
			t.Log(found)
		})
	}
}
