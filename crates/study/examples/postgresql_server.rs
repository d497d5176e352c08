//! A PostgreSQL server that lives as long as standard input stays open, for tests: prints its URL, or `skip: ` and why there
//! is none.
#[path = "../tests/common/server.rs"]
mod server;

fn main() {
    match server::Server::start() {
        Ok(server) => {
            println!("{}", server.url());
            for line in std::io::stdin().lines().map_while(Result::ok) {
                let done = match line.as_str() {
                    "stop" => server.stop(),
                    "up" => server.up(),
                    other => Err(format!("'{other}' is no command")),
                };
                println!("{}", done.map_or_else(|why| why.replace('\n', " "), |()| "done".into()));
            }
        }
        Err(why) => println!("skip: {}", why.replace('\n', " ")),
    }
}
