package main

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"depositd/bank/banksim"
	"depositd/platform/deposit"
)

// department is one of the centre's four business departments, with what its lots are like.
type department struct {
	name, prefix string   // of the numbers of its lots
	lots         []string // what is tendered, with a place in front
	trades       []string // of the companies that bid
	least, most  int64    // deposits, in steps
	step         deposit.Fen
	few, many    int // bidders
}

// The four departments. The deposit of a construction lot is at most 800,000 yuan (七部委30号令 §37); a land parcel's is a
// share of its price and has no such limit.
var departments = []department{
	{"建设工程科", "LCJS", []string{"道路改造工程施工", "雨污分流改造工程（二标段）", "高标准农田建设项目（三标段）", "第四中学教学楼建设项目施工", "养老服务中心装饰工程", "老旧小区改造工程监理", "污水处理厂提标改造工程"},
		[]string{"建设工程", "市政工程", "路桥工程", "水利工程", "园林绿化工程", "建筑装饰工程"}, 5, 80, 1e4 * 100, 5, 9},
	{"政府采购科", "LCZC", []string{"人民医院彩超设备采购项目", "智慧校园平台采购项目", "公务用车采购项目", "机关物业服务采购项目", "中小学教学仪器采购项目", "公共自行车运维服务采购项目"},
		[]string{"信息技术", "医疗器械", "办公家具", "教学设备", "物业服务", "汽车销售"}, 4, 160, 1e3 * 100, 3, 6},
	{"土地及矿产交易科", "LCTD", []string{"2026-17号国有建设用地使用权出让", "2026-21号国有建设用地使用权出让", "建筑石料用灰岩矿采矿权出让", "2026-24号工业用地使用权出让"},
		[]string{"置业", "房地产开发", "产业园开发", "矿业"}, 12, 380, 1e5 * 100, 2, 4},
	{"产权交易科", "LCCQ", []string{"闲置办公楼整体转让", "报废公务车辆一批转让", "沿街商铺三年租赁权", "水务公司10%股权转让", "粮库旧设备一批转让"},
		[]string{"商贸", "物资回收", "资产管理", "酒店管理", "农业科技"}, 2, 150, 1e4 * 100, 2, 5},
}

var (
	places = []string{"东昌府区", "临清市", "阳谷县", "莘县", "茌平区", "东阿县", "冠县", "高唐县", "经开区", "高新区"}
	// What companies are called. The names are coined of rare characters, so that no real company is meant.
	coined = []rune("柘聿珩湄翊岑芃隽瀛昶琮骧瑭浚桐衍钧澄岱祺")
	// Payers' banks, as invented as the payers.
	payerBanks = []string{"运河商业银行东昌支行", "鲁北银行临清支行", "光岳农商银行阳谷支行", "示例银行济南分行", "齐川银行聊城分行"}
)

// company is a bidder: its name, its basic account, and another account it might pay from by mistake.
type company struct {
	banksim.Party
	other string
}

// register invents companies, each with a name of its own.
type register struct {
	rand  *rand.Rand
	names map[string]bool
	pool  map[string][]*company // by department, for lots to draw bidders from
}

func newRegister(r *rand.Rand) *register {
	reg := &register{rand: r, names: map[string]bool{}, pool: map[string][]*company{}}
	for i := range departments {
		d := &departments[i]
		for range 45 {
			reg.pool[d.name] = append(reg.pool[d.name], reg.company(d, ""))
		}
	}
	return reg
}

// company invents one; mark, such as （集团）, stands within the name.
func (r *register) company(d *department, mark string) *company {
	for {
		first, second := pick(r.rand, coined), pick(r.rand, coined)
		place := pick(r.rand, []string{"聊城市", "聊城", "山东", "济南", "临清市", "阳谷县"})
		name := place + string(first) + string(second) + mark + pick(r.rand, d.trades) + "有限公司"
		if first == second || r.names[name] {
			continue
		}
		r.names[name] = true
		return &company{Party: banksim.Party{Name: name, Account: r.account(), Bank: pick(r.rand, payerBanks)}, other: r.account()}
	}
}

// person invents a natural person, who pays in a company's place.
func (r *register) person() banksim.Party {
	return banksim.Party{Name: string(pick(r.rand, []rune("赵钱孙周吴郑"))) + string(pick(r.rand, coined)), Account: "6212" + r.account()[4:], Bank: pick(r.rand, payerBanks)}
}

func (r *register) account() string {
	return fmt.Sprintf("8150%015d", r.rand.Int64N(1e15))
}

// bidders draws so many companies that do not bid on the lot yet.
func (r *register) bidders(lot *demoLot, n int) []*company {
	all := slices.Clone(r.pool[lot.department.name])
	r.rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	all = slices.DeleteFunc(all, func(c *company) bool {
		return slices.ContainsFunc(lot.bids, func(b *demoBid) bool { return b.company == c })
	})
	return all[:min(n, len(all))]
}

// amount draws a deposit.
func (d *department) amount(r *rand.Rand) deposit.Fen {
	return deposit.Fen(d.least+r.Int64N(d.most-d.least+1)) * d.step
}

func pick[T any](r *rand.Rand, of []T) T { return of[r.IntN(len(of))] }
