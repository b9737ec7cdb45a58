package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"depositd/bank"
	"depositd/bank/banksim"
	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/refund"
)

// payday is a centre on the morning after an opening: so many bidders have lost, and a batch of their deposits is released. Its bank
// is simulated; its clock is set by hand.
type payday struct {
	t      *testing.T
	mu     sync.Mutex
	moment time.Time // the clock, which the bank's end of the line reads too
	url    string
	folder string
	sim    *banksim.Sim
	pays   *banksim.Payments
	app    *app
}

const paydayParent = "3705018860000000123"

// newPayday writes banks.yaml with what is said of the way to the bank, and opens the app on it.
func newPayday(t *testing.T, adapter, way string, losers int) *payday {
	t.Helper()
	p := &payday{t: t, folder: t.TempDir(), url: sqldb.FileURL(filepath.Join(sqldbtest.InMemory(t), "payday.db"))}
	p.at("2026-06-12 08:00:00")
	banks := fmt.Sprintf("banks:\n  - {code: ccb, adapter: gseries, statement: delimited, payout: %s, parent_accounts: [%q], seal: {scheme: none}, %s}\n", adapter, paydayParent, way)
	p.must(os.WriteFile(filepath.Join(p.folder, "banks.yaml"), []byte(banks), 0o600))
	for _, sub := range []string{"out", "in"} {
		p.must(os.Mkdir(filepath.Join(p.folder, sub), 0o700))
	}
	sqldbtest.Lay(t, p.url)
	c := &call{settings: &Settings{DB: p.url, MasterKeyFile: sqldbtest.MasterFile(t), Banks: filepath.Join(p.folder, "banks.yaml"), Listen: "127.0.0.1:0", NightlyAt: "30 0 * * *", MaxStatementSize: "1MiB", LogFormat: "text",
		PasswordPolicy: "dengbao", RefundLineLimit: "100000000", RefundBatchLimit: "1000000000", RefundDayLimit: "5000000000", RefundApproval: "24h", RefundCooling: "24h", RevealsPerDay: 50, PlanAuthority: "both"},
		getenv: noEnvironment, now: p.now, stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{}}
	var err error
	p.app, err = c.open(t.Context(), asIs)
	p.must(err)
	t.Cleanup(func() { _ = p.app.db.Close() })
	p.sim = banksim.New(p.app.banks.Only(), rand.New(rand.NewPCG(1, 2)), p.now)
	p.pays = p.sim.Paying(banksim.PayRules{})
	p.release(losers)
	return p
}

func (p *payday) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *payday) now() time.Time { p.mu.Lock(); defer p.mu.Unlock(); return p.moment }

func (p *payday) passTo(at time.Time) { p.mu.Lock(); defer p.mu.Unlock(); p.moment = at }

func (p *payday) at(text string) {
	at, err := deposit.ParseWall(text)
	p.must(err)
	p.passTo(at)
}

// does runs a command and gives what it prints.
func (p *payday) does(code int, args ...string) string {
	p.t.Helper()
	env := map[string]string{"DEPOSITD_DB": p.url, "DEPOSITD_MASTER_KEY_FILE": sqldbtest.MasterFile(p.t), "DEPOSITD_BANKS": filepath.Join(p.folder, "banks.yaml"), "USER": "tester"}
	var out, said bytes.Buffer
	if got := runAt(p.t.Context(), args, environmentOf(env), p.now, &out, &said); got != code {
		p.t.Fatalf("%v: exit %d, want %d\n%s%s", args, got, code, out.String(), said.String())
	}
	return out.String()
}

// release has bidders pay and lose, and takes what they paid to a released batch.
func (p *payday) release(losers int) {
	p.t.Helper()
	ctx, a := p.t.Context(), p.app
	opens, _ := deposit.ParseWall("2026-06-12 09:00:00")
	from, _ := deposit.ParseWall("2026-06-01 00:00:00")
	_, _, err := a.platform.PutLot(ctx, "platform", platform.LotOrder{Number: "L", Department: "建设工程科", Deposit: 100, OpensAt: opens})
	p.must(err)
	list := refund.ListOrder{Eyes: deposit.SightOfAll(), Department: "建设工程科", Reference: "R"}
	for i := range losers + 1 {
		who := banksim.Party{Name: fmt.Sprintf("聊城%d公司", i), Account: fmt.Sprintf("6212%d", i), Bank: "聊城农商银行", BankCode: "402471000009"}
		_, _, err := a.platform.PutBid(ctx, "platform", platform.BidOrder{Lot: "L", Bidder: who.Name, BidderAccount: who.Account, Bank: "ccb", SubAccount: fmt.Sprintf("%s-%04d", paydayParent, i), LeaseFrom: from})
		p.must(err)
		if i > 0 {
			e := p.sim.Credit(banksim.Transfer{SubAccount: fmt.Sprintf("%s-%04d", paydayParent, i), With: who, Amount: 100, At: p.now().Add(time.Duration(i) * time.Second)})
			list.Lines = append(list.Lines, refund.Order{Bank: "ccb", Day: e.BookingDate, Serial: e.Serial})
		}
	}
	p.night("2026-06-12", "2026-06-13 00:30:00")
	p.at("2026-06-13 09:00:00")
	for _, k := range []platform.EventKind{platform.EventOpened, platform.EventAwardNotice} {
		o := platform.EventOrder{Number: string(k), Kind: k, Lot: "L", HappenedAt: opens}
		if k == platform.EventAwardNotice {
			o.Bidder = "聊城0公司"
		}
		_, err := a.platform.Record(ctx, "platform", o)
		p.must(err)
	}
	s, err := a.refund.Submit(ctx, "甲", list)
	if p.must(err); len(s.Faults) > 0 {
		p.t.Fatal(s.Faults)
	}
	keys := make([]sqldb.ID, len(s.Lines))
	for i, l := range s.Lines {
		keys[i] = l.ID
	}
	made, err := a.refund.Compose(ctx, "乙", keys)
	p.must(err)
	b, err := a.refund.Check(ctx, "丙", signatureOf(made[0]))
	p.must(err)
	_, err = a.refund.Release(ctx, "丁", signatureOf(b))
	p.must(err)
}

// night imports a day's statement and closes it.
func (p *payday) night(day deposit.Day, at string) {
	p.t.Helper()
	p.at(at)
	file, err := p.sim.Statement(paydayParent, day)
	p.must(err)
	name := filepath.Join(p.folder, string(day)+".txt")
	p.must(os.WriteFile(name, file, 0o600))
	p.does(exitOK, "import", "statement", name)
	p.must(p.app.closeDay(p.t.Context(), nightlyJob, day))
}

// state is how many lines "refund status" tells in each state, and whom they wait for.
func (p *payday) state() string {
	p.t.Helper()
	var said struct {
		Lines []struct {
			State   string `json:"state"`
			Waiting string `json:"waits_for"`
			Count   int    `json:"count"`
		} `json:"lines"`
		Freezes []any    `json:"freezes"`
		NoWay   []string `json:"banks_without_way"`
	}
	p.must(json.Unmarshal([]byte(p.does(exitOK, "refund", "status", "--json")), &said))
	var all []string
	for _, l := range said.Lines {
		all = append(all, fmt.Sprint(l.Count, " ", l.State, " ", l.Waiting))
	}
	if len(said.Freezes) > 0 {
		all = append(all, "stopped")
	}
	return strings.Join(append(all, said.NoWay...), ", ")
}

// By file: stopped, nothing goes out; started, the file lies in its folder once; the result file is taken, and the statement's
// debits prove the payments the night after.
func TestPayoutByFile(t *testing.T) {
	p := newPayday(t, "delimited", "payout_folder: out, result_folder: in", 3)
	told := func(want string) {
		t.Helper()
		if got := p.state(); got != want {
			t.Errorf("the status is %q, want %q", got, want)
		}
	}
	told("3 RELEASED SENDER")
	p.does(exitOK, "refund", "stop", "--bank", "ccb", "--reason", "核对网银")
	p.does(exitOK, "refund", "send")
	told("3 RELEASED SENDER, stopped")
	p.does(exitUsage, "refund", "stop", "--bank", "nobody", "--reason", "x")
	p.does(exitOK, "refund", "start", "--bank", "ccb", "--reason", "已核对")
	p.does(exitOK, "refund", "send", "--json")
	told("3 ACCEPTED BANK")
	p.does(exitOK, "refund", "send")
	files, err := os.ReadDir(filepath.Join(p.folder, "out"))
	if p.must(err); len(files) != 1 {
		t.Fatalf("%v lie there", files)
	}
	raw, err := os.ReadFile(filepath.Join(p.folder, "out", files[0].Name()))
	p.must(err)
	answer, _ := p.pays.Take(raw)
	for name, text := range map[string][]byte{"result.txt": answer, "rubbish.txt": []byte("x")} {
		file := filepath.Join(p.folder, "in", name)
		p.must(errors.Join(os.WriteFile(file, text, 0o600), os.Chtimes(file, p.now(), p.now().Add(-time.Minute))))
	}
	p.does(exitOK, "refund", "send", "--bank", "ccb")
	told("3 PAID STATEMENT")
	for _, kept := range []string{"done/result.txt", "refused/rubbish.txt"} {
		if _, err := os.Stat(filepath.Join(p.folder, "in", kept)); err != nil {
			t.Error(err)
		}
	}
	p.night("2026-06-13", "2026-06-14 00:30:00")
	told("3 PAID ")
	p.does(exitOK, "verify")
	if said := p.does(exitOK, "refund", "status"); !strings.Contains(said, "已付款") || !strings.Contains(said, "已办结") {
		t.Error(said)
	}
	p.does(exitOK, "refund", "due", "--json")
}

// A bank that nothing says how to reach is told; sending to it by name is refused.
func TestNoWayToPay(t *testing.T) {
	p := newPayday(t, "delimited", "charset: GBK", 1)
	if got := p.state(); got != "1 RELEASED SENDER, ccb" {
		t.Errorf("the status is %q", got)
	}
	p.does(exitOK, "refund", "send")
	p.does(exitFailure, "refund", "send", "--bank", "ccb")
}

// By line: to a bank whose dialect asks nothing, one process at a time; what is out when the server is stopped is unknown, and
// not lost.
func TestPayer(t *testing.T) {
	for _, stopped := range []bool{false, true} {
		t.Run(fmt.Sprint("stopped ", stopped), func(t *testing.T) {
			listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			p := newPayday(t, "delimited", "call: 'tcp://"+listener.Addr().String()+"'", 2)
			ctx, stop := context.WithCancel(t.Context())
			paying, enough := context.WithCancel(ctx)
			served := make(chan error, 1)
			go func() {
				served <- bank.ServeFrames(ctx, listener, 1<<20, time.Minute, func(_ context.Context, raw []byte) []byte {
					answer, _ := p.pays.Take(raw)
					if stopped {
						enough()
						<-ctx.Done()
					}
					return answer
				})
			}()
			if held, err := p.app.db.Claim(ctx, payerJob, "ccb", "another", time.Minute); err != nil || !held {
				t.Fatal(held, err)
			}
			p.does(exitHeld, "refund", "send")
			p.must(p.app.db.Release(ctx, payerJob, "ccb", "another"))
			want := "2 PAID STATEMENT"
			if stopped {
				want = "2 UNKNOWN BANK"
				p.app.payAlways(paying, newJobMetrics(prometheus.NewRegistry()))
			} else {
				p.does(exitOK, "refund", "send")
			}
			if got := p.state(); got != want {
				t.Errorf("the status is %q, want %q", got, want)
			}
			enough()
			stop()
			p.must(<-served)
		})
	}
}
