/// What `vecanctl simulate --interface` runs when no file is given.
enum DefaultScenario {
  static let text = """
    title = "A boat with a sunny week ahead"
    start = "06:00"
    duration = "3650d"

    [bank]
    capacity_ah = 200
    soc_percent = 30

    [[charger]]
    name = "solar"
    rating_a = 60
    [charger.sun]
    rises = "06:00"
    sets = "20:00"

    [[charger]]
    name = "multi"
    rating_a = 70
    on = false

    [[inverter]]
    name = "multi"
    power_w_daily = [["00:00", 0], ["07:30", 800], ["07:50", 0], ["12:00", 300], ["13:00", 0]]

    [[load]]
    name = "boat"
    power_w_daily = [["00:00", 60], ["07:00", 40], ["19:00", 120], ["23:30", 60]]
    """
}
