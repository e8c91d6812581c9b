// Cedar deciding on as many policies as the bench has grants: "policy_cedar N" prints nanoseconds a decision.
use cedar_policy::*;
use std::fmt::Write;
use std::str::FromStr;

/// Nanoseconds of processor time this thread has had.
fn cpu_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

fn uid(kind: &str, name: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(EntityTypeName::from_str(kind).unwrap(), EntityId::new(name))
}

fn main() {
    let n: usize = std::env::args().nth(1).and_then(|s| s.parse().ok()).unwrap_or(10_000);
    let mut text = String::new();
    // The grants of bench_policy.c's case "spread": ten a user, each for one model.
    for i in 0..n {
        writeln!(text, "permit(principal == User::\"u{}\", action == Action::\"use\", resource == Model::\"m{}\");",
                 i / 10, i % 1000).unwrap();
    }
    let policies = PolicySet::from_str(&text).unwrap();
    let entities = Entities::empty();
    let authorizer = Authorizer::new();
    let questions: Vec<Request> = (0..64)
        .map(|k| {
            let i = k * 7919 % n;
            let model = if k % 2 == 0 { format!("m{}", i % 1000) } else { "m-none".to_string() };
            Request::new(uid("User", &format!("u{}", i / 10)), uid("Action", "use"), uid("Model", &model),
                         Context::empty(), None).unwrap()
        })
        .collect();
    let (start, mut asked, mut allowed) = (cpu_ns(), 0u64, 0u64);
    while cpu_ns() - start < 2_000_000_000 {
        for q in &questions {
            allowed += (authorizer.is_authorized(q, &policies, &entities).decision() == Decision::Allow) as u64;
            asked += 1;
        }
    }
    assert_eq!(allowed * 2, asked);
    println!("{}", (cpu_ns() - start) / asked);
}
